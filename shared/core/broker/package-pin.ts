import { execFile } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { basename, delimiter } from 'node:path'
import { promisify } from 'node:util'
import { z } from 'zod'
import { HoldfastError } from '../../contract/errors.ts'
import type { SessionId } from '../../contract/ids.ts'
import type { PinnedPackage } from '../../contract/schemas/server.ts'
import { findExecutable, pathOutOfReach } from '../agents/find-executable.ts'
import type { StdioLaunch } from './server-launch.ts'
import type { ServerIdentity, ToolPins } from './tool-pins.ts'

/** Where `npx`'s arguments name the package that it runs, and how. */
export interface PackageArgument {
  readonly index: number
  /** What stands before the package in that argument: `--package=`, or nothing. */
  readonly prefix: string
  /** As written: `name`, `@scope/name@^1`. */
  readonly spec: string
}

/** A package of a registry, and not a folder, an address or a git repository. */
const REGISTRY_SPEC = /^(?:@[a-z0-9._~-]+\/)?[a-z0-9._~-]+(?:@[A-Za-z0-9.^~<>=*|+ -]+)?$/
const WITHOUT_VALUE = /^(-y|--yes|-q|--quiet|--prefer-online|--prefer-offline|--offline)$/
const NPM_TIMEOUT_MS = 60_000

/** The package that a command line of npx runs; null for any other command, and where it cannot be told. */
export const packageArgument = (command: string, args: readonly string[]): PackageArgument | null => {
  if (basename(command) !== 'npx') return null
  for (const [index, argument] of args.entries()) {
    const at = (spec: string | undefined, place: number, prefix = ''): PackageArgument | null =>
      spec !== undefined && REGISTRY_SPEC.test(spec) ? { index: place, prefix, spec } : null
    if (argument === '-p' || argument === '--package') return at(args[index + 1], index + 1)
    if (argument.startsWith('--package=')) return at(argument.slice('--package='.length), index, '--package=')
    if (WITHOUT_VALUE.test(argument)) continue
    return argument.startsWith('-') ? null : at(argument, index)
  }
  return null
}

const Answer = z.object({ name: z.string(), version: z.string().regex(/^\d[\w.+-]*$/), 'dist.integrity': z.string().regex(/^sha\d+-/) })

type Npm = (...args: string[]) => Promise<string>

export interface PackagePinDeps {
  readonly pins: Pick<ToolPins, 'packageOf' | 'pinPackage'>
  /** A folder of Holdfast's own. */
  readonly folder: string
  /** Where an agent may write, so that no npm is taken from there. */
  readonly agentFolders: readonly string[]
  /** The user's own home, for npm's settings. */
  readonly home: string | undefined
  /** Keys of the servers whose package was compared with the registry since the host started. */
  readonly compared: Set<string>
}

/** The user's own npm, with the user's settings. Not from the project's folder: its .npmrc could name another registry. */
const npmOf = async ({ agentFolders, folder, home }: PackagePinDeps, path: string): Promise<Npm> => {
  const env = { PATH: await pathOutOfReach(path, agentFolders), ...(home === undefined ? {} : { HOME: home }) }
  const npm = await findExecutable('npm', env.PATH.split(delimiter), folder)
  if (npm === null) throw new HoldfastError('agent-not-found', 'npm is not installed. Install it, or name the server by its own program.')
  await mkdir(folder, { recursive: true, mode: 0o700 })
  return async (...args) => (await promisify(execFile)(npm, args, { cwd: folder, env, timeout: NPM_TIMEOUT_MS })).stdout
}

/** What the registry has for a spec now: the newest version that fits. Rejects when it does not answer. */
const askRegistry = async (npm: Npm, spec: string): Promise<PinnedPackage> => {
  const parsed: unknown = JSON.parse(await npm('view', '--json', spec, 'name', 'version', 'dist.integrity'))
  const { name, version, 'dist.integrity': integrity } = Answer.parse(Array.isArray(parsed) ? parsed.at(-1) : parsed)
  return { name, version, integrity }
}

/**
 * Has npx run the exact version that it ran at the server's first use. Throws HoldfastError `agent-refused` when the
 * registry has other content under that version by now, and `not-found` when a package cannot be looked up the first
 * time; later it starts without being compared.
 */
export const pinLaunch = async (deps: PackagePinDeps, sessionId: SessionId, server: ServerIdentity, launch: StdioLaunch): Promise<StdioLaunch> => {
  const found = packageArgument(launch.command, launch.args)
  if (found === null) return launch
  const npm = await npmOf(deps, launch.env['PATH'] ?? '')
  let pinned = deps.pins.packageOf(server)
  if (pinned === null) {
    pinned = await askRegistry(npm, found.spec).catch((cause: unknown) => {
      throw new HoldfastError('not-found', `Server ${server.name} is not started: npm does not find the package ${found.spec}, so that no version can be kept.`, { cause })
    })
    deps.pins.pinPackage(sessionId, server, pinned)
  } else if (!deps.compared.has(server.key)) {
    const now = await askRegistry(npm, `${pinned.name}@${pinned.version}`).catch(() => null)
    if (now !== null && now.integrity !== pinned.integrity) {
      throw new HoldfastError('agent-refused', `Server ${server.name} is not started: ${pinned.name}@${pinned.version} is not what it was at its first use. Ask who publishes it, before you trust it again.`)
    }
    if (now !== null) deps.compared.add(server.key)
  }
  const exact = `${found.prefix}${pinned.name}@${pinned.version}`
  // The server has a home of its own, without the user's settings.
  const registry = (await npm('config', 'get', 'registry')).trim()
  return { ...launch, env: { npm_config_registry: registry, ...launch.env }, args: launch.args.map((argument, index) => (index === found.index ? exact : argument)) }
}
