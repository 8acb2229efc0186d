import type { KillReport } from '../../shared/contract/schemas/session.ts'

/** What a kill did, for a notification. Never says more than the reports prove. */
export const killWords = (reports: readonly KillReport[]): { readonly title: string; readonly body: string } => {
  if (reports.length === 0) return { title: 'Nothing to kill', body: 'No session runs.' }
  const survivors = reports.flatMap((report) => report.survivors)
  const ended = reports.reduce((sum, report) => sum + report.processesKilled, 0)
  const restored = reports.filter(({ restore }) => restore !== null).length
  const problems = reports.flatMap(({ restoreProblem }) => restoreProblem ?? [])
  const killed = `${reports.length === 1 ? '1 session' : `${reports.length} sessions`}, ${ended === 1 ? '1 process' : `${ended} processes`}`
  if (survivors.length > 0) return { title: 'NOT everything is dead', body: `Still running: ${survivors.join(', ')}. Kill again.` }
  const folders = restored === 0 ? [] : [restored === 1 ? 'Its folder is as it was; the tray menu has Undo.' : `${restored} folders are as they were; the tray menu has Undo.`]
  return { title: 'Killed', body: [`${killed} ended, none left.`, ...folders, ...problems].join(' ') }
}
