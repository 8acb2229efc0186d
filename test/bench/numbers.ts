/** How often a second `work` ran, of `times` runs. */
export const timed = (times: number, work: () => void): number => {
  const start = process.hrtime.bigint()
  for (let n = 1; n <= times; n += 1) work()
  return times / (Number(process.hrtime.bigint() - start) / 1e9)
}

export const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0

export const percentile95 = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.ceil(values.length * 0.95) - 1] ?? 0

export const whole = (value: number): string => Math.round(value).toLocaleString('en')
