const MINUTE_MS = 60_000

/** What was used at a time, in ms. */
export interface Use {
  readonly at: number
  readonly count: number
}

/** The first moment, at or after `now`, at which the minute before holds less than `perMinute`; and the uses that still count now. */
export const takeRoom = (uses: readonly Use[], { perMinute, now }: { readonly perMinute: number; readonly now: number }): { readonly uses: readonly Use[]; readonly at: number } => {
  const recent = uses.filter(({ at }) => at > now - MINUTE_MS)
  let left = recent.reduce((sum, { count }) => sum + count, 0)
  let at = now
  for (const use of recent) {
    if (left < perMinute) break
    left -= use.count
    at = use.at + MINUTE_MS
  }
  return { uses: recent, at }
}
