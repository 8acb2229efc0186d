import type { TimelineRow } from './timeline.ts'

/** A row as it is drawn when turns are folded; `inside`: how many rows its turn holds, of the row that stands for it. */
export interface FoldedRow {
  readonly row: TimelineRow
  readonly inside: number
}

/** What a person must not miss is never folded away. */
const staysInSight = ({ kind, state }: TimelineRow): boolean => kind === 'alarm' || state === 'waits for approval'

/** One row a turn, which is a model request and what came of it; of turns whose keys are `opened`, all. */
export const foldRows = (rows: readonly TimelineRow[], opened: ReadonlySet<string>): readonly FoldedRow[] => {
  const folded: { row: TimelineRow; inside: number }[] = []
  let turn: { row: TimelineRow; inside: number } | null = null
  for (const row of rows) {
    if (row.kind === 'model') {
      turn = { row, inside: 0 }
      folded.push(turn)
      continue
    }
    if (turn !== null) turn.inside += 1
    if (turn === null || opened.has(turn.row.key) || staysInSight(row)) folded.push({ row, inside: 0 })
  }
  return folded
}
