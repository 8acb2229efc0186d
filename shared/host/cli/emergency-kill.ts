import { readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Client } from '../../contract/client.ts'
import { HoldfastError } from '../../contract/errors.ts'
import { SessionId } from '../../contract/ids.ts'
import type { KillReport } from '../../contract/schemas/session.ts'
import { createCheckpointStore } from '../../core/checkpoints/create-checkpoint-store.ts'
import { killByFile } from '../../core/containers/grip.ts'
import { randomIds, systemClock } from '../../core/identifiers.ts'
import { resolvePaths, type Paths } from '../../core/paths.ts'
import { noteKillOfAll, removeKillNote, writeKillNote, type KillNote } from '../../core/supervisor/kill-note.ts'
import { putBack, type PutBackParams } from '../../core/supervisor/put-back.ts'
import { within } from '../../core/supervisor/within.ts'
import type { Output } from './output.ts'
import { killLines } from './render.ts'
import { connectRunningHost } from './with-host.ts'

/** A host that does not answer within this time is taken for hung, in ms. */
const HOST_ANSWER_MS = 300
/** How long it may take to end the processes before they are ended beside it, in ms. */
const HOST_PROOF_MS = 1_000
/** How long it may leave a plain question unanswered while it works, in ms. */
const HOST_SILENT_MS = 3_000

/** A client of a host that answers, or null when none does in time. */
const answeringHost = async (paths: Paths): Promise<Client | null> => {
  const asked = (async () => {
    const client = await connectRunningHost(paths, HOST_ANSWER_MS)
    await client?.call('host/info', {})
    return client
  })().catch(() => null)
  const client = (await within(HOST_ANSWER_MS, asked)) ? await asked : null
  if (client === null) void asked.then((tooLate) => tooLate?.close())
  return client
}

/** The kill files of a session and of its MCP servers, whose names begin with its own. */
const killFilesOf = async (paths: Paths, sessionId: SessionId): Promise<string[]> => {
  const names = await readdir(paths.killFiles).catch(() => [])
  return names.filter((name) => name.startsWith(`${sessionId}.`) && name.endsWith('.json')).map((name) => join(paths.killFiles, name))
}

const sessionsWithKillFile = async (paths: Paths): Promise<SessionId[]> => {
  const names = await readdir(paths.killFiles).catch(() => [])
  return names.flatMap((name) => SessionId.safeParse(basename(name, '.json')).data ?? [])
}

/** Leaves word for the host, before and after, of what is done without it. */
const killAlone = async (paths: Paths, sessionId: SessionId, keepChanges: boolean): Promise<KillReport> => {
  const entries: KillNote['entries'] = []
  const note = (outcome: KillNote['outcome']): void => {
    try {
      writeKillNote(paths.killFiles, sessionId, { outcome, entries })
    } catch {
      // A full disk stops no kill.
    }
  }
  note(null)
  const report = await killAndPutBack(paths, sessionId, keepChanges, (kind, body) => void entries.push({ kind, body }))
  const { processesKilled, durationMs, restoreProblem } = report
  if (report.survivors.length === 0) note({ processesKilled, survivors: [], durationMs, restoreProblem })
  else removeKillNote(paths.killFiles, sessionId)
  return report
}

const killAndPutBack = async (paths: Paths, sessionId: SessionId, keepChanges: boolean, record: PutBackParams['record']): Promise<KillReport> => {
  const proofs = await Promise.all((await killFilesOf(paths, sessionId)).map(killByFile))
  const killed = proofs.reduce((sum, proof) => sum + proof.killed, 0)
  const survivors = proofs.flatMap((proof) => proof.survivors)
  const durationMs = Math.max(0, ...proofs.map((proof) => proof.durationMs))
  const report = { sessionId, processesKilled: killed, survivors, durationMs, restore: null }
  if (survivors.length > 0) return { ...report, restoreProblem: `Nothing was put back: ${survivors.length} of its processes could not be ended. Kill it again: holdfast kill ${sessionId}` }
  if (keepChanges) return { ...report, restoreProblem: 'The changes were kept, as asked.' }
  const checkpoints = createCheckpointStore({ folder: paths.checkpoints, clock: systemClock, ids: randomIds })
  const start = await checkpoints.list(sessionId).then((all) => all.find(({ reason }) => reason === 'start'), () => undefined)
  if (start === undefined) return { ...report, restoreProblem: 'Nothing was put back: no checkpoint of its start was found.' }
  return { ...report, ...(await putBack({ checkpoints, record, sessionId, root: start.root, target: start.id })) }
}

/** Each by its kill file. Throws what the first that failed threw, once all others are done and told. */
const killAllAlone = async (paths: Paths, sessionIds: readonly SessionId[], keepChanges: boolean, output: Output): Promise<readonly KillReport[]> => {
  const outcomes = await Promise.allSettled(sessionIds.map((id) => killAlone(paths, id, keepChanges)))
  const reports = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
  const failed = outcomes.find(({ status }) => status === 'rejected')
  if (failed?.status !== 'rejected') return reports
  for (const line of reports.flatMap(killLines)) output.note(line)
  throw failed.reason
}

/** Refusals that would be the same without the host; after anything else the kill is still to be done. */
const isRefusal = (error: unknown): boolean => error instanceof HoldfastError && ['not-found', 'bad-params', 'unauthorised'].includes(error.code)

/**
 * The host's reports, or null when it fell silent, or failed, before it gave them. What it does not end soon is ended
 * beside it, by the kill files, which does no harm twice; then it has all the time it needs to put folders back, as
 * long as it answers.
 */
const killThroughHost = async (
  client: Client,
  wanted: readonly SessionId[] | 'all',
  keepChanges: boolean,
  killFiles: readonly string[],
): Promise<readonly KillReport[] | null> => {
  const answered = client.call('session/kill', { sessionIds: wanted === 'all' ? wanted : [...wanted], keepChanges })
  if (!(await within(HOST_PROOF_MS, answered))) await Promise.allSettled(killFiles.map(killByFile))
  while (!(await within(HOST_PROOF_MS, answered))) {
    if (!(await within(HOST_SILENT_MS, client.call('host/info', {})))) return null
  }
  try {
    return (await answered).reports
  } catch (error) {
    if (isRefusal(error)) throw error
    return null
  }
}

/**
 * Kills sessions through the host, or, when that does not answer within 300 ms, or falls silent later, without it, by
 * their kill files. The audit log is the host's alone: it records what was done without it when it goes on, or starts.
 */
export const emergencyKill = async (sessionIds: readonly SessionId[] | 'all', keepChanges: boolean, output: Output): Promise<readonly KillReport[]> => {
  const paths = resolvePaths(process.env)
  const found = await sessionsWithKillFile(paths)
  const chosen = sessionIds === 'all' ? found : found.filter((id) => sessionIds.includes(id))
  const client = await answeringHost(paths)
  if (client !== null) {
    try {
      const reports = await killThroughHost(client, sessionIds, keepChanges, (await Promise.all(chosen.map((id) => killFilesOf(paths, id)))).flat())
      if (reports !== null) return reports
    } finally {
      client.close()
    }
  }
  if (sessionIds === 'all') noteKillOfAll(paths.killFiles, systemClock.now())
  if (chosen.length > 0) output.note('the host does not answer: killing without it')
  return killAllAlone(paths, chosen, keepChanges, output)
}
