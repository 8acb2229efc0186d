import { createScanner, findNodeAtLocation, type Node, parseTree } from 'jsonc-parser'
import { editToml } from './edit-toml.ts'
import type { Edit, JsonPath } from './finding.ts'

/** `SyntaxKind.CommaToken` and `SyntaxKind.EOF` of jsonc-parser, whose enumeration is of types alone. */
const [COMMA, END] = [5, 17]

/** Where a comma stands between two places, outside comments; -1 where none does. */
const commaBetween = (text: string, start: number, end: number): number => {
  const scanner = createScanner(text, false)
  scanner.setPosition(start)
  for (let token = scanner.scan() as number; token !== END && scanner.getTokenOffset() < end; token = scanner.scan() as number) {
    if (token === COMMA) return scanner.getTokenOffset()
  }
  return -1
}

/** Takes out a value, with its key and one comma, and the line where it leaves nothing else. Comments stay. */
const withoutNode = (text: string, value: Node): string => {
  const target = value.parent?.type === 'property' ? value.parent : value
  const siblings = target.parent?.children ?? []
  const index = siblings.indexOf(target)
  const [before, after] = [siblings[index - 1], siblings[index + 1]]
  const parent = target.parent ?? target
  let [start, end] = [target.offset, target.offset + target.length]
  let comma = commaBetween(text, end, after?.offset ?? parent.offset + parent.length - 1)
  if (comma < 0 && before !== undefined) comma = commaBetween(text, before.offset + before.length, start)
  if (comma >= end && text.slice(end, comma).trim() === '') [end, comma] = [comma + 1, -1]
  const lineStart = text.lastIndexOf('\n', start - 1) + 1
  const blankAfter = /[ \t]*\r?\n/y
  blankAfter.lastIndex = end
  if (text.slice(lineStart, start).trim() === '' && blankAfter.test(text)) [start, end] = [lineStart, blankAfter.lastIndex]
  else if (after === undefined) while (/[ \t]/.test(text.charAt(start - 1))) start -= 1
  else while (/[ \t]/.test(text.charAt(end))) end += 1
  const cut = text.slice(0, start) + text.slice(end)
  if (comma < 0) return cut
  const place = comma < start ? comma : comma - (end - start)
  return cut.slice(0, place) + cut.slice(place + 1)
}

/** Indexes of one list from the last to the first, so that taking one out moves none of the others. */
const backwards = (one: JsonPath, other: JsonPath): number => {
  for (let index = 0; index < Math.min(one.length, other.length); index += 1) {
    const [left, right] = [one[index], other[index]]
    if (left === right) continue
    return typeof left === 'number' && typeof right === 'number' ? right - left : String(left) < String(right) ? -1 : 1
  }
  return other.length - one.length
}

/** The text of a JSON file without what stands at these paths; all else stays byte for byte, comments too. */
export const removeFromJson = (text: string, paths: readonly JsonPath[]): string =>
  paths.toSorted(backwards).reduce((current, path) => {
    // A key may stand there more than once, and programs read the last; a list closes up behind what is taken out.
    const mostTimes = typeof path.at(-1) === 'string' ? 100 : 1
    for (let times = 0; times < mostTimes; times += 1) {
      const tree = parseTree(current, [], { allowTrailingComma: true })
      const node = tree === undefined ? undefined : findNodeAtLocation(tree, [...path])
      if (node === undefined) break
      current = withoutNode(current, node)
    }
    return current
  }, text)

/** The text of a JSON file with a setting's value, and where `to` is given its name, changed; null where there is none. */
const setInJson = (text: string, path: JsonPath, value: string | boolean, to?: string): string | null => {
  const tree = parseTree(text, [], { allowTrailingComma: true })
  const node = tree === undefined ? undefined : findNodeAtLocation(tree, [...path])
  if (node === undefined) return null
  const changed = text.slice(0, node.offset) + JSON.stringify(value) + text.slice(node.offset + node.length)
  if (to === undefined) return changed
  const key = node.parent?.type === 'property' ? node.parent.children?.[0] : undefined
  return key === undefined ? null : changed.slice(0, key.offset) + JSON.stringify(to) + changed.slice(key.offset + key.length)
}

/** How a file's text is edited. */
export type Format = 'json' | 'toml' | 'text'

/** The text with one change made, all else byte for byte as it was; null where that cannot be. */
export const applyEdit = (text: string, format: Format, edit: Edit): string | null => {
  if (edit.kind === 'span') return text.slice(0, edit.start) + edit.text + text.slice(edit.end)
  if (format === 'toml') return editToml(text, edit)
  if (format !== 'json') return null
  if (edit.kind === 'remove') return removeFromJson(text, [edit.path])
  return setInJson(text, edit.path, edit.value, edit.kind === 'rename' ? edit.to : undefined)
}

/** Lines that went and came, `-` and `+`, with their numbers in the old and the new text. */
export const changedLines = (before: string, after: string): string[] => {
  const [old, fresh] = [before.split('\n'), after.split('\n')]
  let start = 0
  while (start < old.length && start < fresh.length && old[start] === fresh[start]) start += 1
  let [oldEnd, freshEnd] = [old.length, fresh.length]
  while (oldEnd > start && freshEnd > start && old[oldEnd - 1] === fresh[freshEnd - 1]) [oldEnd, freshEnd] = [oldEnd - 1, freshEnd - 1]
  const kept = new Set(fresh.slice(start, freshEnd))
  const had = new Set(old.slice(start, oldEnd))
  return [
    ...old.slice(start, oldEnd).flatMap((line, index) => (kept.has(line) ? [] : [`- ${start + index + 1}: ${line}`])),
    ...fresh.slice(start, freshEnd).flatMap((line, index) => (had.has(line) ? [] : [`+ ${start + index + 1}: ${line}`])),
  ]
}
