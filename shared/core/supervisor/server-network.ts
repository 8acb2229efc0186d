import { basename } from 'node:path'
import type { SessionId } from '../../contract/ids.ts'
import { registriesOf } from '../../domain/network-host.ts'
import type { ServerNetworks } from '../broker/server-container.ts'
import type { Egress } from '../egress/egress.ts'
import { serveProxy } from '../transports/proxy-socket.ts'
import { proxyEnvironment, type NetworkPlan } from './session-network.ts'

/** The port of its proxy in a server's own network, where nothing else is. */
const PROXY_PORT = 3128

/** Files that stand for the registry from which a command gets what it runs. */
const REGISTRY_FILES: Readonly<Record<string, string>> = { npx: 'package.json', npm: 'package.json', uvx: 'pyproject.toml', uv: 'pyproject.toml', pipx: 'pyproject.toml' }

export interface ServerNetworkDeps {
  readonly egress: Egress
  readonly sessionId: SessionId
  readonly way: Pick<NetworkPlan, 'mode'>
  readonly signal: AbortSignal
}

/**
 * A server has the session's network and no more, unless the user's profile gives it hosts, or all of them, by name: in
 * `allowlist` any other host is a question, in `gateway` it is refused.
 */
export const planServerNetworks = ({ egress, sessionId, way, signal }: ServerNetworkDeps): ServerNetworks => ({ name, command, granted }) => {
  if (way.mode === 'open' || granted === 'open') return { network: 'open', env: {}, close: () => undefined }
  const hosts = granted ?? []
  if (way.mode === 'gateway' && hosts.length === 0) return { network: 'none', env: {}, close: () => undefined }
  const source = REGISTRY_FILES[basename(command)]
  const proxy = egress.openSession({
    sessionId,
    server: name,
    asks: way.mode === 'allowlist',
    listed: [
      ...hosts.map((host) => ({ host, reason: `a host of the server ${name}` })),
      ...(source === undefined ? [] : registriesOf([source])).map((host) => ({ host, reason: `the registry that ${command} gets the server from` })),
    ],
    refused: [],
    signal,
  })
  const { listen, close } = serveProxy(proxy)
  return { network: { port: PROXY_PORT, listen }, env: proxyEnvironment(`http://127.0.0.1:${PROXY_PORT}`), close }
}
