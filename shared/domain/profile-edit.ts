import { isCollection, isMap, parseDocument, type Scalar } from 'yaml'

export type FieldPath = readonly [string, ...string[]]

/** Whether a form can change this text: one document that parses, with fields at its top, or nothing yet. */
const open = (text: string) => {
  const document = parseDocument(text, { strict: true, uniqueKeys: true, merge: false })
  if (document.errors.length > 0 || !(document.contents === null || isMap(document.contents))) return null
  if (document.contents === null) document.contents = document.createNode({}) as unknown as typeof document.contents
  return document
}

/** The value of a field of a profile as it stands; undefined where it is not there or the text cannot be read. */
export const fieldOf = (text: string, path: FieldPath): unknown => {
  const node = open(text)?.getIn(path)
  return isCollection(node) ? (node.toJSON() as unknown) : node
}

/** A line but for the spaces inside its brackets. */
const bare = (line: string): string => line.replaceAll(/([[{]) +| +([\]}])/g, '$1$2').trimEnd()

/** The new text, its untouched lines spaced as they were: the library spaces all brackets alike. */
const spacedAs = (before: string, after: string): string => {
  const known = new Map(before.split('\n').map((line) => [bare(line), line]))
  const kept = after.split('\n').map((line) => known.get(bare(line)) ?? line).join('\n')
  const says = (text: string): string => JSON.stringify(parseDocument(text).toJS())
  return says(kept) === says(after) ? kept : after
}

/**
 * The text with one field set, or taken out where the value is undefined or an empty list; what else is written there,
 * comments too, stays. null when the text is not one a form can change.
 */
export const withField = (text: string, path: FieldPath, value: string | number | readonly string[] | undefined): string | null => {
  const document = open(text)
  if (document === null) return null
  const isGone = value === undefined || (Array.isArray(value) && value.length === 0)
  if (isGone) {
    document.deleteIn(path)
    for (let depth = path.length - 1; depth > 0; depth -= 1) {
      const parent = document.getIn(path.slice(0, depth))
      if (isMap(parent) && parent.items.length === 0) document.deleteIn(path.slice(0, depth))
    }
  } else if (Array.isArray(value)) {
    const list = document.createNode([...value])
    for (const item of list.items as Scalar[]) item.type = 'QUOTE_DOUBLE'
    document.setIn(path, list)
  } else document.setIn(path, value)
  return isMap(document.contents) && document.contents.items.length === 0 && document.commentBefore === null ? '' : spacedAs(text, document.toString({ lineWidth: 0 }))
}
