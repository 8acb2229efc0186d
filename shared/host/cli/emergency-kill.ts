import { readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Client } from '../../contract/client.ts'
import { SessionId } from '../../contract/ids.ts'
import type { KillReport } from '../../contract/schemas/session.ts'
import { createCheckpointStore } from '../../core/checkpoints/create-checkpoint-store.ts'
import { killByFile } from '../../core/containers/grip.ts'
import { randomIds, systemClock } from '../../core/identifiers.ts'
import { resolvePaths, type Paths } from '../../core/paths.ts'
import type { Output } from './output.ts'
import { connectRunningHost } from './with-host.ts'

/** A host that does not answer within this time is taken for hung, in ms. */
const HOST_ANSWER_MS = 300

/** A client of a host that answers, or null when none does in time. */
const answeringHost = async (paths: Paths): Promise<Client | null> => {
  const asked = (async () => {
    const client = await connectRunningHost(paths)
    await client?.call('host/info', {})
    return client
  })().catch(() => null)
  const { promise: late, resolve } = Promise.withResolvers<null>()
  const timer = setTimeout(() => resolve(null), HOST_ANSWER_MS)
  const client = await Promise.race([asked, late])
  clearTimeout(timer)
  if (client === null) void asked.then((tooLate) => tooLate?.close())
  return client
}

const sessionsWithKillFile = async (paths: Paths): Promise<SessionId[]> => {
  const names = await readdir(paths.killFiles).catch(() => [])
  return names.flatMap((name) => SessionId.safeParse(basename(name, '.json')).data ?? [])
}

const killAlone = async (paths: Paths, sessionId: SessionId, keepChanges: boolean): Promise<KillReport> => {
  const proof = await killByFile(join(paths.killFiles, `${sessionId}.json`))
  const report = { sessionId, processesKilled: proof.killed, survivors: [...proof.survivors], durationMs: proof.durationMs }
  if (keepChanges) return { ...report, restore: null, restoreProblem: 'The changes were kept, as asked.' }
  const checkpoints = createCheckpointStore({ folder: paths.checkpoints, clock: systemClock, ids: randomIds })
  try {
    const start = (await checkpoints.list(sessionId)).find(({ reason }) => reason === 'start')
    if (start === undefined) return { ...report, restore: null, restoreProblem: 'Nothing was put back: the session had no checkpoint yet.' }
    return { ...report, restore: await checkpoints.revert({ sessionId, target: start.id }), restoreProblem: null }
  } catch (error) {
    return { ...report, restore: null, restoreProblem: `The folder could not be put back: ${error instanceof Error ? error.message : String(error)}` }
  }
}

/**
 * Kills sessions through the host, or, when that does not answer within 300 ms, without it, by their kill files.
 * The audit log is the host's alone: what is done without it is not in there.
 */
export const emergencyKill = async (sessionIds: readonly SessionId[] | 'all', keepChanges: boolean, output: Output): Promise<readonly KillReport[]> => {
  const paths = resolvePaths(process.env)
  const client = await answeringHost(paths)
  if (client !== null) {
    try {
      const wanted = sessionIds === 'all' ? sessionIds : [...sessionIds]
      return (await client.call('session/kill', { sessionIds: wanted, keepChanges })).reports
    } finally {
      client.close()
    }
  }
  const found = await sessionsWithKillFile(paths)
  const chosen = sessionIds === 'all' ? found : found.filter((id) => sessionIds.includes(id))
  if (chosen.length > 0) output.note('the host does not answer: killing without it')
  return Promise.all(chosen.map((id) => killAlone(paths, id, keepChanges)))
}
