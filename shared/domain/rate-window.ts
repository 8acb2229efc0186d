const MINUTE_MS = 60_000

/** When the newest calls were or will be let through, in ms, oldest first. */
export type RateWindow = readonly number[]

/**
 * The earliest place for one more call, at or after `now`, so that no span of a minute, wherever it begins, holds more
 * than `perMinute` (at least 1); taken at once, so that those who wait are served in turn. null when that would be more
 * than `maxWaitMs` away: then nothing is taken. `now` never goes back from call to call.
 */
export const takePlace = (
  window: RateWindow,
  { perMinute, now, maxWaitMs }: { readonly perMinute: number; readonly now: number; readonly maxWaitMs: number },
): { readonly window: RateWindow; readonly at: number } | null => {
  const recent = window.filter((at) => at > now - MINUTE_MS)
  const blocking = recent[recent.length - perMinute]
  const at = blocking === undefined ? now : Math.max(now, blocking + MINUTE_MS)
  return at - now > maxWaitMs ? null : { window: [...recent, at], at }
}
