import { type LastMinute, QUIET_MINUTE } from '../contract/schemas/session.ts'

/** What a session had used in all at one moment. */
export interface Mark extends LastMinute {
  readonly at: number
}

const MINUTE_MS = 60_000
/** What comes within this counts as come at its end, so that a burst does not fill the memory. In ms. */
const APART_MS = 250

/** The marks with one more: no older ones than the last minute needs, and at most one for each APART_MS. */
export const withMark = (marks: readonly Mark[], mark: Mark): readonly Mark[] => {
  const before = marks.at(-2)
  const kept = before !== undefined && mark.at - before.at < APART_MS ? marks.slice(0, -1) : marks
  const base = kept.findLastIndex(({ at }) => at <= mark.at - MINUTE_MS)
  return [...kept.slice(Math.max(0, base)), mark]
}

/** What came since the newest mark that is a minute old, or since the first where none is. Never below 0: a provider may correct itself. */
export const lastMinute = (marks: readonly Mark[], now: number): LastMinute => {
  const newest = marks.at(-1)
  const base = marks.findLast(({ at }) => at <= now - MINUTE_MS) ?? marks[0]
  if (newest === undefined || base === undefined) return QUIET_MINUTE
  const since = (figure: keyof LastMinute): number => Math.max(0, newest[figure] - base[figure])
  return { requests: since('requests'), tokens: since('tokens'), toolCalls: since('toolCalls') }
}
