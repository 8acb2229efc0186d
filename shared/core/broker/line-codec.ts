/**
 * JSON of one line to a value and back. A long line that has no escape in it has no string that needs one: the parts of
 * it that are passed on as they came are written without looking at each character again.
 */
type Fields = Readonly<Record<string, unknown>>

/** Below this, in UTF-16 units, it makes no difference. */
const LONG = 4_096

/** Arguments and results out of such lines. Nobody changes what was received: who wants something else makes it anew. */
const withoutEscapes = new WeakSet<object>()

const fieldsOf = (value: unknown): Fields | null => (typeof value === 'object' && value !== null ? (value as Fields) : null)

/** Throws SyntaxError for what is no JSON. The line must come from UTF-8, so that it has no half characters. */
export const decodeLine = (line: string): unknown => {
  const message: unknown = JSON.parse(line)
  if (line.length < LONG || line.includes('\\')) return message
  const fields = fieldsOf(message)
  for (const part of [fieldsOf(fields?.['params'])?.['arguments'], fields?.['result']]) {
    if (typeof part === 'object' && part !== null) withoutEscapes.add(part)
  }
  return message
}

/** Members as JSON.stringify gives them, by `write`. */
const members = (fields: Fields, write: (value: unknown, key: string) => string): string => {
  let text = ''
  for (const key of Object.keys(fields)) {
    if (fields[key] !== undefined) text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${write(fields[key], key)}`
  }
  return `{${text}}`
}

const unescaped = (value: unknown): string => {
  if (typeof value === 'string') return `"${value}"`
  if (Array.isArray(value)) {
    let text = ''
    for (const [at, one] of value.entries()) text += (at === 0 ? '' : ',') + unescaped(one)
    return `[${text}]`
  }
  return typeof value === 'object' && value !== null ? members(value as Fields, unescaped) : JSON.stringify(value)
}

const isWithoutEscapes = (value: unknown): boolean => typeof value === 'object' && value !== null && withoutEscapes.has(value)

/** The text that JSON.stringify gives. Throws RangeError for what is nested too deep. */
export const encodeLine = (message: object): string => {
  const { params, result } = message as Fields
  if (isWithoutEscapes(result)) return members(message as Fields, (value) => (value === result ? unescaped(value) : JSON.stringify(value)))
  const given = fieldsOf(params)?.['arguments']
  if (!isWithoutEscapes(given)) return JSON.stringify(message)
  const parameters = (): string => members(params as Fields, (value) => (value === given ? unescaped(value) : JSON.stringify(value)))
  return members(message as Fields, (value) => (value === params ? parameters() : JSON.stringify(value)))
}
