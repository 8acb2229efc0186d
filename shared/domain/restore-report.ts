import type { RestoreReport } from '../contract/schemas/checkpoint.ts'

const LISTS = ['written', 'deleted', 'conflicts', 'leftAlone', 'refsMoved'] as const

/** A list's beginning that fits, as JSON, in so many characters. */
const beginningOf = <Item>(items: readonly Item[], maxCharacters: number): Item[] => {
  let room = maxCharacters
  const past = items.findIndex((item) => (room -= JSON.stringify(item).length + 1) < 0)
  return past === -1 ? [...items] : items.slice(0, past)
}

/** The report with each of its lists cut to its share of `maxCharacters` of JSON, and how many paths each lost. */
export const shortenRestore = (report: RestoreReport, maxCharacters: number): RestoreReport => {
  const share = maxCharacters / LISTS.length
  const short = {
    written: beginningOf(report.written, share),
    deleted: beginningOf(report.deleted, share),
    conflicts: beginningOf(report.conflicts, share),
    leftAlone: beginningOf(report.leftAlone, share),
    refsMoved: beginningOf(report.refsMoved, share),
  }
  const missing = (list: (typeof LISTS)[number]): number => report[list].length - short[list].length
  if (LISTS.every((list) => missing(list) === 0)) return report
  const more = { written: missing('written'), deleted: missing('deleted'), conflicts: missing('conflicts'), leftAlone: missing('leftAlone'), refsMoved: missing('refsMoved') }
  return { ...report, ...short, more }
}

/** How many of each it holds, those that were left out of an answer included. */
export const restoreCounts = (report: RestoreReport) => ({
  written: report.written.length + (report.more?.written ?? 0),
  deleted: report.deleted.length + (report.more?.deleted ?? 0),
  conflicts: report.conflicts.length + (report.more?.conflicts ?? 0),
  leftAlone: report.leftAlone.length + (report.more?.leftAlone ?? 0),
  refsMoved: report.refsMoved.length + (report.more?.refsMoved ?? 0),
})

/** Whether it changed anything that an undo could take back. */
export const hasRestored = (report: RestoreReport): boolean => {
  const { leftAlone: _untouched, ...changed } = restoreCounts(report)
  return Object.values(changed).some((count) => count > 0)
}

/** All paths of a whole report as JSON, in its order: with their hash, the ledger binds any number of them in a few bytes. */
export const pathText = ({ written, deleted, conflicts, leftAlone, refsMoved }: RestoreReport): string =>
  JSON.stringify([written, deleted, conflicts, leftAlone, refsMoved])
