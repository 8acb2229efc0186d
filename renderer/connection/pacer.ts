/** Fast enough to look immediate, slow enough to leave a busy page time for everything else. */
const MIN_INTERVAL_MS = 40

/**
 * Runs `flush` in the next frame after `request`, at most every 40 ms however often it is requested; in a hidden page,
 * which draws no frames, without one.
 */
export const createPacer = (flush: () => void): { request(): void; stop(): void } => {
  let timer: ReturnType<typeof setTimeout> | undefined
  let frame = 0
  let last = 0
  const run = (): void => {
    timer = undefined
    frame = 0
    last = performance.now()
    flush()
  }
  return {
    request: () => {
      if (timer !== undefined || frame !== 0) return
      timer = setTimeout(() => {
        timer = undefined
        if (document.visibilityState === 'visible') frame = requestAnimationFrame(run)
        else run()
      }, Math.max(0, MIN_INTERVAL_MS - (performance.now() - last)))
    },
    stop: () => {
      clearTimeout(timer)
      cancelAnimationFrame(frame)
      timer = undefined
      frame = 0
    },
  }
}
