/** A word: letters, digits and underscores. SQLite's unicode61 tokenizer, set up in core/ledger/search-index, goes by the same. */
const WORD = /[\p{L}\p{N}\p{Co}_]+/gu

export const searchWords = (text: string): string[] => [...text.toLowerCase().matchAll(WORD)].map(([word]) => word)

/** What of an entry's body a search looks at: its values, not their names, each on a line of its own. Empty for a pruned one. */
export const searchableText = (body: string): string => {
  if (body === '') return ''
  const lines: string[] = []
  const add = (value: unknown): void => {
    if (typeof value === 'string') lines.push(value)
    else if (typeof value === 'number' || typeof value === 'boolean') lines.push(String(value))
    else if (typeof value === 'object' && value !== null) Object.values(value).forEach(add)
  }
  try {
    add(JSON.parse(body))
  } catch {
    return ''
  }
  return lines.join('\n')
}

/**
 * A search as FTS5 takes it; null for one without a word, which finds nothing. Whole words alone: for the beginning of
 * one, FTS5 gathers every entry that has it before it gives the first.
 */
export const matchQuery = (text: string): string | null => {
  const words = searchWords(text)
  return words.length === 0 ? null : `"${words.join(' ')}"`
}

/** Whether the words stand in a body one after the other. The same as `matchQuery` finds. */
export const matcherOf = (text: string): ((body: string) => boolean) => {
  const sought = searchWords(text)
  const [first] = sought
  if (first === undefined) return () => false
  return (body) => {
    if (!body.toLowerCase().includes(first)) return false
    const words = searchWords(searchableText(body))
    return words.some((_, at) => sought.every((word, index) => words[at + index] === word))
  }
}
