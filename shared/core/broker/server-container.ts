import { mkdir, realpath, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, dirname, join, relative, resolve } from 'node:path'
import { HoldfastError } from '../../contract/errors.ts'
import type { SessionId } from '../../contract/ids.ts'
import { filesBehind, findExecutable, foldersToSearch, requireOutOfReach } from '../agents/find-executable.ts'
import { isWithin } from '../containers/mount-plan.ts'
import { toolFolders } from '../containers/tool-folders.ts'
import type { Container, ContainerSpec, IdSource } from '../ports.ts'
import type { StdioLaunch } from './server-launch.ts'

/** How one server reaches others. */
export interface ServerNetwork {
  readonly network: ContainerSpec['network']
  readonly env: Readonly<Record<string, string>>
  /** When it has ended. */
  close(): void
}

/** `granted` is what the user gives this server beyond the session's network: hosts, or all. */
export type ServerNetworks = (server: { name: string; command: string; granted: 'open' | readonly string[] | undefined }) => ServerNetwork

const OPEN: ServerNetwork = { network: 'open', env: {}, close: () => undefined }

/** How a session's servers are held: as its agent is, each in a container of its own. */
export interface ServerHold {
  readonly launch: (spec: ContainerSpec) => Promise<Container>
  /** Where a server finds its home: `null` where nothing can be shown elsewhere than where it is. */
  readonly homeAt: string | null
  /** Without it, as in a test, the machine's own. */
  readonly networkFor?: ServerNetworks
  /** Files of the project that run something later by the user's hand: shown read-only. */
  readonly guarded: { readonly readable: readonly string[]; readonly writable: readonly string[] }
}

export interface ServerContainerDeps {
  readonly ids: Pick<IdSource, 'session'>
  /** Servers' homes: one below it for each server. */
  readonly homes: string
  readonly killFiles: string
  /** Holdfast's own folders: no server sees them. */
  readonly hidden: readonly string[]
}

export interface ServerPlace {
  readonly sessionId: SessionId
  readonly name: string
  /** Identity of the server: see ServerIdentity. */
  readonly key: string
  /** The session's folder. */
  readonly cwd: string
  readonly hold: ServerHold
  readonly granted: 'open' | readonly string[] | undefined
}

const exists = async (file: string): Promise<'folder' | 'file' | null> => {
  try {
    return (await stat(file)).isDirectory() ? 'folder' : 'file'
  } catch {
    return null
  }
}

/** What a program loads beside itself: the package it is in, or its own folder, and every `node_modules` above. */
const programFolders = async (file: string): Promise<string[]> => {
  const found: string[] = []
  let isInPackage = false
  for (let folder = dirname(file); folder !== dirname(folder); folder = dirname(folder)) {
    if (!isInPackage && (await exists(join(folder, 'package.json')))) {
      isInPackage = true
      found.push(folder)
    }
    if ((await exists(join(folder, 'node_modules'))) === 'folder') found.push(join(folder, 'node_modules'))
  }
  return isInPackage ? found : [dirname(file), ...found]
}

/** A server before it is started. */
export interface PlannedServer {
  readonly spec: ContainerSpec
  /** All that its process is given and held by: equal for two sessions that could use one process. null where its network has a way out of its own: a connection does not say for which session it is made, so that its question, its rules and its record would be another's. */
  readonly wholeOf: Readonly<Record<string, unknown>> | null
  /** Throws HoldfastError `container-unavailable`. */
  start(): Promise<Container>
}

/**
 * Plans a container of a server's own, at a home that it keeps: it sees the project, programs, and what its own
 * arguments name; not the user's home, not Holdfast's folders, not another server's process.
 * Throws HoldfastError `agent-refused` for a server with secrets whose program the agent can change, `agent-not-found`.
 */
export const planServerContainer = async (deps: ServerContainerDeps, launch: StdioLaunch, place: ServerPlace): Promise<PlannedServer> => {
  const { name, cwd, hold } = place
  const folders = await foldersToSearch(launch.env['PATH'] ?? '', [cwd])
  const file = await findExecutable(launch.command, folders, cwd)
  if (file === null) throw new HoldfastError('agent-not-found', `Server ${name} is not started: there is no program ${launch.command}. Install it, or correct the command.`)
  if (launch.hasSecrets) await requireOutOfReach(file, [cwd])

  const named: { file: string; kind: 'folder' | 'file' }[] = []
  const args: string[] = []
  for (const argument of launch.args) {
    const path = resolve(cwd, argument)
    const kind = argument.includes('/') || argument === '.' ? await exists(path) : null
    args.push(kind === null ? argument : path)
    if (kind === null) continue
    const real = await realpath(path)
    if (kind === 'file' && launch.hasSecrets && isWithin(real, cwd)) {
      throw new HoldfastError('agent-refused', `Server ${name} is not started: ${argument} lies in the project, where the agent can change it, and the server holds secrets. Keep it elsewhere.`)
    }
    named.push({ file: real, kind })
  }
  const programs = await Promise.all(named.filter(({ kind }) => kind === 'file').map((one) => programFolders(one.file)))
  const home = join(deps.homes, place.key, 'home')
  const homeAt = hold.homeAt ?? home
  await mkdir(home, { recursive: true, mode: 0o700 })
  const readable = [...(await filesBehind(file)), ...(await toolFolders(folders.join(delimiter), { home: homedir(), apart: [cwd, home] })), ...programs.flat(), ...hold.guarded.readable]
  for (const shown of readable) {
    // What is shown inside the home needs a place there.
    if (isWithin(shown, homeAt) && homeAt !== home) await mkdir(join(home, dirname(relative(homeAt, shown))), { recursive: true, mode: 0o700 })
  }
  const id = deps.ids.session()
  const { network, env, close } = hold.networkFor?.({ name, command: launch.command, granted: place.granted }) ?? OPEN
  const held = {
    file,
    args,
    // A project's .npmrc, .env or node_modules would say where to send secrets, and what is run in a server's name.
    cwd: homeAt,
    env: { ...launch.env, ...env, HOME: homeAt },
    terminal: null,
    writable: [cwd, ...named.filter(({ kind }) => kind === 'folder').map((one) => one.file), ...hold.guarded.writable],
    readable,
    hidden: deps.hidden,
    network,
    home,
    homeAt,
  }
  const spec = { ...held, sessionId: id, killFile: join(deps.killFiles, `${place.sessionId}.${id}.json`) }
  return {
    spec,
    wholeOf: typeof network === 'string' ? { ...held, isShownElsewhere: hold.homeAt !== null } : null,
    start: () => {
      const launched = hold.launch(spec)
      launched.then((container) => container.exited).then(close, close)
      return launched
    },
  }
}
