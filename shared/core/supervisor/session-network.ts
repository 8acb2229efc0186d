import { readdir } from 'node:fs/promises'
import type { SessionId } from '../../contract/ids.ts'
import type { NetworkMode } from '../../contract/schemas/profile.ts'
import type { ContainerKind } from '../../contract/schemas/session.ts'
import { registriesOf } from '../../domain/network-host.ts'
import type { AgentLaunch } from '../agents/adapter.ts'
import type { Egress, EgressProxy } from '../egress/egress.ts'

/** How a session's processes reach the host, and others. */
export interface NetworkPlan {
  /** What holds, which is not what was asked for where no container can hold it. */
  readonly mode: NetworkMode
  readonly env: Readonly<Record<string, string>>
}

const LOOPBACK = 'localhost,127.0.0.1,::1'

/** What programs read to find their proxy: curl, git, npm, pip, cargo and go one spelling or the other, Node 24 the flag. */
export const proxyEnvironment = (url: string): Record<string, string> => ({
  ...Object.fromEntries(['HTTP_PROXY', 'HTTPS_PROXY', 'http_proxy', 'https_proxy'].map((name) => [name, url])),
  ...{ NO_PROXY: LOOPBACK, no_proxy: LOOPBACK, NODE_USE_ENV_PROXY: '1' },
})

/** `port` is where the agent finds the host. Only a container with a network of its own can close it. */
export const planNetwork = (port: number, wanted: NetworkMode, kind: ContainerKind): NetworkPlan => {
  if (wanted === 'open' || kind !== 'linux') return { mode: 'open', env: {} }
  return { mode: wanted, env: wanted === 'allowlist' ? proxyEnvironment(`http://127.0.0.1:${port}`) : {} }
}

const hostAndPort = (address: string): string => {
  const { hostname, port, protocol } = new URL(address)
  return `${hostname}:${port === '' ? (protocol === 'http:' ? 80 : 443) : port}`
}

/** The way out of an `allowlist` session: its project's registries and its agent's sign-in need no question. */
export const openProxy = async (
  egress: Egress,
  params: { readonly sessionId: SessionId; readonly cwd: string; readonly modelUrls: readonly string[]; readonly prepared: AgentLaunch; readonly signal: AbortSignal },
): Promise<EgressProxy> => {
  const { sessionId, cwd, modelUrls, prepared, signal } = params
  const files = await readdir(cwd).catch(() => [])
  return egress.openSession({
    sessionId,
    listed: [
      ...registriesOf(files).map((host) => ({ host, reason: 'a package registry of this project' })),
      ...prepared.signInHosts.map((host) => ({ host, reason: 'the agent’s own sign-in' })),
    ],
    refused: prepared.isSignedOut ? [] : modelUrls.map((url) => ({ host: hostAndPort(url), reason: 'The model is reached through Holdfast alone.' })),
    unasked: prepared.housekeepingHosts.map((host) => ({ host, reason: 'The agent does not update itself or report about itself here.' })),
    signal,
  })
}
