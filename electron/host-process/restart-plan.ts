const WINDOW_MS = 60_000
const DELAYS_MS = [0, 500, 1_000, 2_000, 4_000]

/**
 * How long to wait before the host is looked for again, in ms, by when it was before; null once that was too often
 * within a minute: then a person must ask for it.
 */
export const restartIn = (startsAt: readonly number[], now: number): number | null =>
  DELAYS_MS[startsAt.filter((at) => now - at < WINDOW_MS).length] ?? null
