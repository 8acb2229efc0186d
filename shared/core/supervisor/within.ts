/** Whether `work` settles, either way, within `ms`: for what may not hold up what comes after it. Never rejects. */
export const within = async (ms: number, work: Promise<unknown> | undefined): Promise<boolean> => {
  const { promise: late, resolve } = Promise.withResolvers<boolean>()
  const timer = setTimeout(() => resolve(false), ms)
  const inTime = await Promise.race([Promise.resolve(work).then(() => true, () => true), late])
  clearTimeout(timer)
  return inTime
}
