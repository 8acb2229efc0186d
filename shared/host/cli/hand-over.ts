import { readdir } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { PROTOCOL_VERSION } from '../../contract/protocol.ts'
import type { Paths } from '../../core/paths.ts'
import { processStartTime } from '../../core/process-info.ts'
import { readEndpoint, type Endpoint } from '../../core/transports/endpoint-file.ts'
import { connectLocal } from '../../core/transports/local-socket-client.ts'
import { VERSION } from '../../core/version.ts'
import { isOver } from '../../domain/session-state.ts'

/** How long a host may take to end, in ms. */
const END_TIMEOUT_MS = 10_000

const numbersOf = (version: string): readonly number[] => version.split(/[.+-]/).slice(0, 3).map(Number)

/** Whether a version comes before another, by its three numbers. */
export const isOlder = (version: string, than: string): boolean => {
  const [ours, theirs] = [numbersOf(version), numbersOf(than)]
  const at = ours.findIndex((number, index) => number !== theirs[index])
  return at !== -1 && (ours[at] ?? 0) < (theirs[at] ?? 0)
}

const hasEnded = async ({ pid, processStartTime: startedAt }: Endpoint): Promise<void> => {
  for (let waited = 0; waited < END_TIMEOUT_MS && processStartTime(pid) === startedAt; waited += 50) await delay(50)
}

/** A host of an older protocol cannot be asked anything; that no kill file is there says that it holds nothing. */
const stopUnspoken = async (paths: Paths, endpoint: Endpoint): Promise<void> => {
  if (endpoint.processStartTime === null || (await readdir(paths.killFiles).catch(() => [])).length > 0) return
  process.kill(endpoint.pid, 'SIGTERM')
  await hasEnded(endpoint)
}

/**
 * Ends a host from before an update while it holds no session, so that one of this version takes its place. One that
 * holds sessions goes on, and so does a newer one.
 */
export const askToHandOver = async (paths: Paths): Promise<void> => {
  const endpoint = await readEndpoint(paths.run)
  if (endpoint === null) return
  if (endpoint.protocol !== PROTOCOL_VERSION) return endpoint.protocol < PROTOCOL_VERSION ? stopUnspoken(paths, endpoint) : undefined
  const client = await connectLocal(endpoint, 'find-host').catch(() => null)
  if (client === null) return
  try {
    const { version } = await client.call('host/info', {})
    if (!isOlder(version, VERSION)) return
    const { sessions } = await client.call('session/list', {})
    if (!sessions.every(({ state }) => isOver(state))) return
    await client.call('host/stop', {})
    await client.closed
    await hasEnded(endpoint)
  } finally {
    client.close()
  }
}
