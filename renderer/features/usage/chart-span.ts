/** The shortest time that fills a chart. */
const MIN_SPAN_SECONDS = 30 * 60

/** What a chart over these moments shows, of the `min` to `max` that uPlot would, in seconds: of one moment, that shows years. */
export const chartSpan = (at: ArrayLike<number>, min: number, max: number): [number, number] => {
  const end = at.length === 1 ? min : max
  return [Math.min(min, end - MIN_SPAN_SECONDS), end]
}
