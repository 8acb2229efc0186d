import type { Client } from '../shared/contract/client.ts'
import type { SessionId } from '../shared/contract/ids.ts'
import type { KillReport } from '../shared/contract/schemas/session.ts'

/** A host that does not answer a plain question within this time is taken for hung, in ms. */
const HOST_ANSWER_MS = 300
/** How long a host that answers may take to prove its kill before another looks after it too, in ms. */
const HOST_PROOF_MS = 1_000

const within = (ms: number, work: Promise<unknown>): Promise<boolean> =>
  new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), ms)
    const settle = (done: boolean) => () => {
      clearTimeout(timer)
      resolve(done)
    }
    work.then(settle(true), settle(false))
  })

/**
 * Kills through the host where it answers and proves it soon, else with `alone` as well, which needs none; killing twice
 * does no harm. A host that is slow, since it puts a large folder back, still tells what it did. Throws only what `alone`
 * throws.
 */
export const emergencyKill = async (
  client: Client | null,
  sessionIds: readonly SessionId[] | 'all',
  alone: () => Promise<readonly KillReport[]>,
): Promise<readonly KillReport[]> => {
  if (client === null) return alone()
  const killed = client.call('session/kill', { sessionIds: sessionIds === 'all' ? sessionIds : [...sessionIds], keepChanges: false })
  const answers = await within(HOST_ANSWER_MS, Promise.any([killed, client.call('host/info', {})]))
  if (answers && (await within(HOST_PROOF_MS, killed))) return (await killed).reports
  const reports = await alone()
  return (await within(HOST_ANSWER_MS, killed)) ? (await killed).reports : reports
}
