import { createRedactor as createTextRedactor } from '../../domain/redact.ts'

/** Takes secrets out of what an agent gets to read: values that Holdfast has handed out, and tokens of a known shape. */
export interface Redactor {
  /** From now on `value` is taken out. */
  know(value: string): void
  text(text: string): string
  /** The same, for every string and key inside a JSON value; the value itself when there is nothing to take out. */
  json<Value>(value: Value): Value
  /** How many places it has replaced in `json` values since the start. */
  readonly count: number
}

/** Shorter values would match ordinary text everywhere; they are no secrets. */
const MIN_LENGTH = 4

export const createRedactor = (): Redactor => {
  const values = new Set<string>()
  let redact = createTextRedactor([])
  let count = 0

  const redactText = (text: string): string => {
    const redaction = redact(text)
    count += redaction.count
    return redaction.text
  }
  const redactJson = (value: unknown): unknown => {
    if (typeof value === 'string') return redactText(value)
    if (Array.isArray(value)) return value.map(redactJson)
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [redactText(key), redactJson(entry)]))
  }

  return {
    know: (value) => {
      if (value.length < MIN_LENGTH || values.has(value)) return
      values.add(value)
      redact = createTextRedactor([...values])
    },
    text: (text) => redact(text).text,
    json: <Value>(value: Value): Value => {
      const before = count
      const clean = redactJson(value) as Value
      return count === before ? value : clean
    },
    get count() {
      return count
    },
  }
}
