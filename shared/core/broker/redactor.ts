/** Takes secret values that Holdfast has handed out of what an agent gets to read. */
export interface Redactor {
  /** From now on `value` is taken out. */
  know(value: string): void
  /** The text without any known value, plain or encoded. */
  text(text: string): string
  /** The same, for every string and key inside a JSON value; the value itself when there is nothing to take out. */
  json<Value>(value: Value): Value
}

const MARK = '[redacted]'

/** Shorter values would match ordinary text everywhere; they are no secrets. */
const MIN_LENGTH = 4

/** A Redactor that knows exact values, and their base64 (any alignment), hex, URL and JSON spellings. */
export const createRedactor = (): Redactor => {
  const spellings = new Set<string>()

  const redactText = (text: string): string => {
    let clean = text
    for (const spelling of spellings) if (clean.includes(spelling)) clean = clean.replaceAll(spelling, MARK)
    return clean
  }

  const redactJson = (value: unknown): unknown => {
    if (typeof value === 'string') return redactText(value)
    if (Array.isArray(value)) return value.map(redactJson)
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [redactText(key), redactJson(entry)]))
  }

  return {
    know: (value) => {
      if (value.length >= MIN_LENGTH) for (const spelling of spellingsOf(value)) spellings.add(spelling)
    },
    text: redactText,
    json: <Value>(value: Value): Value => (spellings.size === 0 ? value : (redactJson(value) as Value)),
  }
}

const spellingsOf = (value: string): string[] => {
  const bytes = Buffer.from(value)
  const hex = bytes.toString('hex')
  const base64 = [0, 1, 2].map((offset) => {
    const encoded = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64')
    // Only the characters that no neighbouring byte takes part in.
    return encoded.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + bytes.length) * 8) / 6))
  })
  const base64url = base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_'))
  const json = JSON.stringify(value).slice(1, -1)
  const spellings = [value, json, encodeURIComponent(value), hex, hex.toUpperCase(), ...base64, ...base64url]
  // Longest first, so that a spelling inside another does not leave the rest of it behind.
  return spellings.filter((spelling) => spelling.length >= MIN_LENGTH).sort((a, b) => b.length - a.length)
}
