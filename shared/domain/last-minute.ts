/** What a session had used in all at one moment. */
export interface Mark {
  readonly at: number
  readonly tokens: number
  readonly requests: number
  readonly calls: number
}

/** What came in the newest `overMs`: a minute, or less where no more was seen. */
export interface LastMinute extends Omit<Mark, 'at'> {
  readonly overMs: number
}

const MINUTE_MS = 60_000
/** Marks closer together than this count as one, so that a burst does not fill the memory. In ms. */
const APART_MS = 250

/** The marks with one more: no older ones than the last minute needs, and at most one for each APART_MS. */
export const withMark = (marks: readonly Mark[], mark: Mark): readonly Mark[] => {
  const [last, before] = [marks.at(-1), marks.at(-2)]
  const kept = last !== undefined && before !== undefined && last.at - before.at < APART_MS ? marks.slice(0, -1) : marks
  const base = kept.findLastIndex(({ at }) => at <= mark.at - MINUTE_MS)
  return [...kept.slice(Math.max(0, base)), mark]
}

/** What came since the newest mark that is a minute old; since the first where none is. null without a mark. */
export const lastMinute = (marks: readonly Mark[], now: number): LastMinute | null => {
  const newest = marks.at(-1)
  const base = marks.findLast(({ at }) => at <= now - MINUTE_MS) ?? marks[0]
  if (newest === undefined || base === undefined) return null
  return {
    tokens: newest.tokens - base.tokens,
    requests: newest.requests - base.requests,
    calls: newest.calls - base.calls,
    overMs: Math.min(MINUTE_MS, Math.max(0, now - base.at)),
  }
}
