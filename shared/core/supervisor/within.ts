/** Resolves when `work` has settled, whichever way, or `ms` have passed: for what may not hold up what comes after it. */
export const within = async (ms: number, work: Promise<unknown> | undefined): Promise<void> => {
  const { promise: late, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, ms)
  await Promise.race([Promise.resolve(work).then(() => undefined, () => undefined), late])
  clearTimeout(timer)
}
