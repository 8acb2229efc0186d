/** One line of a difference. */
export interface DiffLine {
  readonly sign: ' ' | '-' | '+'
  /** Line numbers, from 1, before and after; null on the side where the line is not. */
  readonly before: number | null
  readonly after: number | null
  readonly text: string
}

/** Lines that stand unchanged and are left out. */
export interface DiffGap {
  readonly skipped: number
}

/** Above this many differing lines a side is not compared line by line: it is shown as taken out and put in whole. */
const MAX_EDITS = 2_000
const CONTEXT = 3

const linesOf = (text: string): string[] => {
  if (text === '') return []
  const lines = text.split('\n')
  if (lines.at(-1) === '') lines.pop()
  else lines[lines.length - 1] += '\n\\ no line end'
  return lines
}

/**
 * The shortest edit from `a` to `b` (Myers 1986, "An O(ND) difference algorithm", the greedy form), as pairs of places
 * that stay the same; null when it would take more than MAX_EDITS.
 */
const matches = (a: readonly string[], b: readonly string[]): (readonly [number, number])[] | null => {
  const most = Math.min(a.length + b.length, MAX_EDITS)
  const trace: Int32Array[] = []
  const size = 2 * most + 3
  let reach = new Int32Array(size)
  const at = (k: number): number => k + most + 1
  for (let edits = 0; edits <= most; edits += 1) {
    trace.push(reach.slice())
    for (let k = -edits; k <= edits; k += 2) {
      const down = k === -edits || (k !== edits && (reach[at(k - 1)] ?? 0) < (reach[at(k + 1)] ?? 0))
      let x = down ? (reach[at(k + 1)] ?? 0) : (reach[at(k - 1)] ?? 0) + 1
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x += 1
      reach[at(k)] = x
      if (x < a.length || x - k < b.length) continue
      const found: [number, number][] = []
      let [toX, toY] = [a.length, b.length]
      for (let step = edits; step >= 0; step -= 1) {
        const before = trace[step] ?? reach
        const line = toX - toY
        const fromLine = line === -step || (line !== step && (before[at(line - 1)] ?? 0) < (before[at(line + 1)] ?? 0)) ? line + 1 : line - 1
        const fromX = step === 0 ? 0 : (before[at(fromLine)] ?? 0)
        const fromY = step === 0 ? 0 : fromX - fromLine
        while (toX > fromX && toY > fromY && a[toX - 1] === b[toY - 1]) found.push([(toX -= 1), (toY -= 1)])
        ;[toX, toY] = [fromX, fromY]
      }
      return found.reverse()
    }
    reach = reach.slice()
  }
  return null
}

/** The two texts line by line, everything that stays included. */
export const diffLines = (before: string, after: string): DiffLine[] => {
  const [a, b] = [linesOf(before), linesOf(after)]
  let head = 0
  while (head < Math.min(a.length, b.length) && a[head] === b[head]) head += 1
  let tail = 0
  while (tail < Math.min(a.length, b.length) - head && a.at(-1 - tail) === b.at(-1 - tail)) tail += 1
  const middle = matches(a.slice(head, a.length - tail), b.slice(head, b.length - tail)) ?? []
  const same = [
    ...Array.from({ length: head }, (_, index) => [index, index] as const),
    ...middle.map(([x, y]) => [x + head, y + head] as const),
    ...Array.from({ length: tail }, (_, index) => [a.length - tail + index, b.length - tail + index] as const),
    [a.length, b.length] as const,
  ]
  const lines: DiffLine[] = []
  let [x, y] = [0, 0]
  for (const [nextX, nextY] of same) {
    for (; x < nextX; x += 1) lines.push({ sign: '-', before: x + 1, after: null, text: a[x] ?? '' })
    for (; y < nextY; y += 1) lines.push({ sign: '+', before: null, after: y + 1, text: b[y] ?? '' })
    if (x < a.length) lines.push({ sign: ' ', before: x + 1, after: y + 1, text: a[x] ?? '' })
    x += 1
    y += 1
  }
  return lines
}

/** What differs, with three lines around each place, and how much lies between. Empty when nothing differs. */
export const diffParts = (before: string, after: string): (DiffLine | DiffGap)[] => {
  const lines = diffLines(before, after)
  const isNear = Array.from({ length: lines.length }, () => false)
  lines.forEach(({ sign }, index) => {
    if (sign !== ' ') isNear.fill(true, Math.max(0, index - CONTEXT), index + CONTEXT + 1)
  })
  if (!isNear.includes(true)) return []
  const parts: (DiffLine | DiffGap)[] = []
  let skipped = 0
  lines.forEach((line, index) => {
    if (isNear[index] !== true) skipped += 1
    else {
      if (skipped > 0) parts.push({ skipped })
      skipped = 0
      parts.push(line)
    }
  })
  if (skipped > 0) parts.push({ skipped })
  return parts
}
