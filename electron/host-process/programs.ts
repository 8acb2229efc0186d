import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { COMMANDS } from '../../shared/contract/protocol.ts'
import { HoldfastError } from '../../shared/contract/errors.ts'
import type { SessionId } from '../../shared/contract/ids.ts'
import { FoundHost, HOST_VARIABLES } from '../../shared/contract/schemas/host.ts'
import type { KillReport } from '../../shared/contract/schemas/session.ts'

/** A host that has to be started, and reads a long ledger first, may take this long, in ms. */
const FIND_TIMEOUT_MS = 30_000
const MAX_OUTPUT_BYTES = 8 * 1024 * 1024

/** The host's own programs and the Node they run on: never Electron's. */
export interface Programs {
  readonly node: string
  readonly folder: string
}

/**
 * Packaged, both lie in the app's resources. In a checkout the folder lies beside this bundle, and who starts Electron
 * names the Node; a packaged app takes no such word from its command line.
 */
export const locatePrograms = (where: { packaged: boolean; resources: string; app: string; named: string; platform: string }): Programs =>
  where.packaged
    ? { node: join(where.resources, 'runtime', where.platform === 'win32' ? 'node.exe' : 'node'), folder: join(where.resources, 'app.host', 'host') }
    : { node: where.named === '' ? 'node' : where.named, folder: join(where.app, '..', 'host') }

/**
 * Runs one of the host's programs, with an environment made for it, and gives the line it answers with. It may live on a
 * little: one that asked a hung host waits for that to let go.
 */
const run = (programs: Programs, name: string, args: readonly string[], environment: NodeJS.ProcessEnv, timeout: number): Promise<string> => {
  const env = Object.fromEntries(HOST_VARIABLES.flatMap((key) => (environment[key] === undefined ? [] : [[key, environment[key]]])))
  return new Promise((resolve, reject) => {
    const options = { env, cwd: '/', timeout, maxBuffer: MAX_OUTPUT_BYTES, windowsHide: true }
    const child = execFile(programs.node, [join(programs.folder, `${name}.mjs`), ...args], options, (error, stdout, stderr) => {
      // The exit code repeats what the output says.
      if (stdout !== '') resolve(stdout)
      else reject(new HoldfastError('no-host', `The program ${name} of the host did not run: ${stderr.trim() === '' ? (error?.message ?? 'it said nothing') : stderr.trim()}`))
    })
    let said = ''
    child.stdout?.on('data', (chunk: string) => {
      said += chunk
      if (said.endsWith('\n')) resolve(said)
    })
  })
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The way to this user's host, which is started when none runs. Throws HoldfastError as the host told it. */
export const findHost = async (programs: Programs, environment: NodeJS.ProcessEnv): Promise<{ socketPath: string; token: string }> => {
  const found = FoundHost.safeParse(parse(await run(programs, 'find-host', [], environment, FIND_TIMEOUT_MS))).data
  if (found === undefined) throw new HoldfastError('version-mismatch', 'The host and this app are of different versions. Stop the host and try again.')
  if ('error' in found) throw new HoldfastError(found.error.code, found.error.message)
  return found
}

/**
 * Kills with the command line's own kill, which needs no host: it asks a host that answers, and else freezes and kills
 * by the kill files and puts the folders back itself. With `lock` nothing starts afterwards until the user unlocks. Throws HoldfastError when it did not get that far.
 */
export const killByProgram = async (programs: Programs, environment: NodeJS.ProcessEnv, sessionIds: readonly SessionId[] | 'all', lock: boolean): Promise<readonly KillReport[]> => {
  const which = sessionIds === 'all' ? ['--all', ...(lock ? ['--lock'] : [])] : sessionIds
  const answer = parse(await run(programs, 'cli', ['kill', '--json', ...which], environment, 0))
  const killed = COMMANDS['session/kill'].result.safeParse(answer)
  if (killed.success) return killed.data.reports
  const refused = FoundHost.safeParse(answer).data
  throw refused !== undefined && 'error' in refused
    ? new HoldfastError(refused.error.code, refused.error.message)
    : new HoldfastError('internal', 'The kill said nothing that can be read. Run in a terminal: holdfast kill --all')
}

/** Lets sessions start again. */
export const unlockByProgram = async (programs: Programs, environment: NodeJS.ProcessEnv): Promise<void> => {
  await run(programs, 'cli', ['unlock', '--json'], environment, FIND_TIMEOUT_MS)
}
