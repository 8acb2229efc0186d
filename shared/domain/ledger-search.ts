/** A word: letters, digits and underscores. SQLite's unicode61 tokenizer, set up in core/ledger/search-index, goes by the same. */
const WORD = /[\p{L}\p{N}\p{Co}_]+/gu
/** A shorter beginning of a word would find too much. */
const MIN_BEGINNING = 3

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

/** A search as FTS5 takes it; null for one without a word, which finds nothing. */
export const matchQuery = (text: string): string | null => {
  const words = searchWords(text)
  const last = words.at(-1)
  return last === undefined ? null : `"${words.join(' ')}"${last.length >= MIN_BEGINNING ? '*' : ''}`
}

/** Whether the words stand in a body one after the other, the last of them perhaps only begun. The same as `matchQuery` finds. */
export const matcherOf = (text: string): ((body: string) => boolean) => {
  const sought = searchWords(text)
  const last = sought.at(-1)
  if (last === undefined) return () => false
  const before = sought.slice(0, -1)
  const ends = (word: string | undefined): boolean => word === last || (last.length >= MIN_BEGINNING && word?.startsWith(last) === true)
  return (body) => {
    if (!body.toLowerCase().includes(sought[0] ?? '')) return false
    const words = searchWords(searchableText(body))
    return words.some((_, at) => before.every((word, index) => words[at + index] === word) && ends(words[at + before.length]))
  }
}
