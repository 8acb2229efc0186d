export interface Span {
  readonly start: number
  readonly end: number
}

/** A block of two characters, as an index. Blocks that share one cost a second look, and no more. */
const blockOf = (text: string, at: number): number => ((text.charCodeAt(at) << 8) ^ text.charCodeAt(at + 1)) & 0xffff

/** The window is as long as the shortest pattern in it: shorter ones than this would have it skip next to nothing. */
const MIN_WINDOW = 4

/**
 * Calls back with every place where one of the patterns stands, those that overlap too, in one pass that skips most of
 * the text: Wu and Manber's algorithm, with blocks of two characters. Patterns of less than four characters are each
 * looked for alone.
 */
export const createScanner = (given: readonly string[]): ((text: string, onFound: (pattern: string, start: number) => void) => void) => {
  const patterns = [...new Set(given)].filter((pattern) => pattern.length >= MIN_WINDOW)
  const short = [...new Set(given)].filter((pattern) => pattern.length > 0 && pattern.length < MIN_WINDOW)
  const length = Math.min(255, ...patterns.map((pattern) => pattern.length))
  /** How far the window may move on, by the block that it ends with. */
  const skips = new Uint8Array(65_536).fill(length - 1)
  const endingWith = new Map<number, string[]>()
  for (const pattern of patterns) {
    for (let at = 0; at <= length - 2; at += 1) {
      const block = blockOf(pattern, at)
      skips[block] = Math.min(skips[block] ?? 0, length - 2 - at)
    }
    const last = blockOf(pattern, length - 2)
    endingWith.set(last, [...(endingWith.get(last) ?? []), pattern])
  }
  return (text, onFound) => {
    for (const pattern of short) for (let start = text.indexOf(pattern); start !== -1; start = text.indexOf(pattern, start + 1)) onFound(pattern, start)
    if (patterns.length === 0) return
    for (let at = length - 2; at < text.length - 1; ) {
      const block = blockOf(text, at)
      const skip = skips[block] ?? 0
      if (skip > 0) {
        at += skip
        continue
      }
      const start = at - length + 2
      for (const pattern of endingWith.get(block) ?? []) if (text.startsWith(pattern, start)) onFound(pattern, start)
      at += 1
    }
  }
}

/** Every place where one of the patterns stands, those that overlap too. */
export const createFinder = (patterns: readonly string[]): ((text: string) => Span[]) => {
  const scan = createScanner(patterns)
  return (text) => {
    const spans: Span[] = []
    scan(text, (pattern, start) => spans.push({ start, end: start + pattern.length }))
    return spans
  }
}
