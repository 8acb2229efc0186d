import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Client } from '../../shared/contract/client.ts'
import { startStandInModel, type Script, type StandInModel } from '../../shared/core/demo/stand-in-model.ts'
import { readEndpoint, type Endpoint } from '../../shared/core/transports/endpoint-file.ts'
import { connectLocal } from '../../shared/core/transports/local-socket-client.ts'
import { createKeyringSession, missingPrograms, type KeyringSession } from '../fixtures/keyring/session.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
export const CLI_FILE = join(ROOT, 'build/out/host/cli.mjs')
/** Shared by the hundreds of starts of the command line. */
const COMPILED = join(ROOT, 'test/node_modules/.cache/compiled')
const CLAUDE = join(ROOT, 'test/node_modules/@anthropic-ai/claude-code-linux-x64/claude')

/** Why the end-to-end tests cannot run on this machine, or null. */
export const missingForEndToEnd = (): string | null => {
  if (!existsSync(CLAUDE)) return 'the real Claude Code (an optional test package for Linux x64)'
  const missing = [...missingPrograms(), ...['bwrap', 'tmux', 'git'].filter((name) => spawnSync(name, ['-V']).error !== undefined)]
  return missing.length > 0 ? missing.join(', ') : null
}

export interface Finished {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  readonly child: ChildProcess
  readonly finished: Promise<Finished>
  /** What it has printed so far. */
  readonly printed: () => { stdout: string; stderr: string }
}

/** A machine of a test's own: home, Holdfast folders, keyring, project and model. Nothing of the user's is met. */
export interface World {
  readonly folder: string
  readonly home: string
  readonly holdfastHome: string
  readonly project: string
  readonly environment: Readonly<Record<string, string>>
  readonly model: StandInModel
  /** Runs the command line and waits for its end. */
  holdfast(args: readonly string[], options?: { input?: string; env?: Record<string, string>; cwd?: string }): Promise<Finished>
  /** Starts it and lets it run. */
  start(args: readonly string[], options?: { env?: Record<string, string>; cwd?: string }): Running
  /** A client of this world's host, to await events with. */
  client(): Promise<Client>
  endpoint(): Promise<Endpoint>
  git(...args: string[]): string
  end(): Promise<void>
}

export const KEY = 'sk-ant-api03-end-to-end-canary-key'

/** Where to put a world: short, since a socket's path is. */
const newFolder = (): Promise<string> => mkdtemp(join(tmpdir(), 'hf-'))

/** Programs beside Claude Code, by the name that they are started by. */
export type Programs = Readonly<Record<string, string>>

export const createWorld = async (script: Script, options: { profile?: string; programs?: Programs } = {}): Promise<World> => {
  const folder = await newFolder()
  const home = join(folder, 'home')
  const holdfastHome = join(folder, 'h')
  const project = join(folder, 'project')
  const bin = join(folder, 'bin')
  for (const path of [home, project, bin, join(holdfastHome, 'config', 'profiles')]) await mkdir(path, { recursive: true, mode: 0o700 })
  await symlink(CLAUDE, join(bin, 'claude'))
  for (const [name, file] of Object.entries(options.programs ?? {})) await symlink(file, join(bin, name))
  const model = await startStandInModel({ script, expectKey: KEY })
  const keyring: KeyringSession = await createKeyringSession()
  await keyring.startBus()
  await keyring.startKeyring('password')
  const environment = {
    PATH: `${bin}:/usr/local/bin:/usr/bin:/bin`,
    HOME: home,
    LANG: 'C.UTF-8',
    TERM: 'xterm-256color',
    HOLDFAST_HOME: holdfastHome,
    NODE_COMPILE_CACHE: COMPILED,
    ...keyring.environment,
  }
  await writeFile(
    join(holdfastHome, 'config', 'profiles', 'test.yaml'),
    options.profile ?? `agent: tester\nmodel: { key: agent/test, baseUrl: "${model.baseUrl}" }\nlimits: { spendUsd: 5 }\n`,
  )

  const start: World['start'] = (args, { env = {}, cwd = project } = {}) => {
    const child = spawn(process.execPath, [CLI_FILE, ...args], { cwd, env: { ...environment, ...env }, stdio: ['pipe', 'pipe', 'pipe'] })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString('utf8')))
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString('utf8')))
    const finished = new Promise<Finished>((resolve) => child.once('close', (code) => resolve({ code, stdout, stderr })))
    return { child, finished, printed: () => ({ stdout, stderr }) }
  }
  const holdfast: World['holdfast'] = (args, { input = '', ...rest } = {}) => {
    const running = start(args, rest)
    running.child.stdin?.end(input)
    return running.finished
  }
  const endpoint = async (): Promise<Endpoint> => {
    const found = await readEndpoint(join(holdfastHome, 'run'))
    if (found === null) throw new Error('no host runs')
    return found
  }
  const git = (...args: string[]): string => {
    const { stdout, status, stderr } = spawnSync('git', ['-C', project, '--no-optional-locks', '-c', 'user.name=Me', '-c', 'user.email=me@example.invalid', ...args], {
      env: { PATH: '/usr/bin:/bin', HOME: home, GIT_CONFIG_NOSYSTEM: '1' },
      encoding: 'utf8',
    })
    if (status !== 0) throw new Error(`git ${args.join(' ')}: ${stderr}`)
    return stdout
  }

  await writeFile(join(project, 'README.md'), '# A project\n')
  await writeFile(join(project, 'CLAUDE.md'), 'CANARY-CLAUDE-MD: be kind.\n')
  await mkdir(join(project, 'build'))
  await writeFile(join(project, 'build', 'out.txt'), 'built\n')
  git('init', '--quiet', '--initial-branch=main')
  git('add', '--all')
  git('commit', '--quiet', '--message=Begin')

  const set = await holdfast(['secret', 'set', 'agent/test'], { input: KEY })
  if (set.code !== 0) throw new Error(`the test key could not be kept: ${set.stderr}`)

  return {
    folder,
    home,
    holdfastHome,
    project,
    environment,
    model,
    holdfast,
    start,
    endpoint,
    git,
    client: async () => {
      const client = await connectLocal(await endpoint(), 'test')
      await client.call('event/subscribe', {})
      return client
    },
    end: async () => {
      const found = await readEndpoint(join(holdfastHome, 'run'))
      const stopped = found !== null && (await stopHost(found))
      if (!stopped) await holdfast(['kill', '--all', '--keep-changes'])
      if (found !== null) killIfAlive(found.pid)
      await model.close()
      await keyring.end()
      // Processes that were killed may still be at their last write.
      await rm(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

/** Ends a host and its sessions as the command line would, without the time that two starts of that take; false for one that hangs or is gone. */
const stopHost = (endpoint: Endpoint): Promise<boolean> => {
  const stop = async (): Promise<boolean> => {
    const client = await connectLocal(endpoint, 'test', 2_000)
    await client.call('session/kill', { sessionIds: 'all', keepChanges: true })
    await client.call('host/stop', {})
    await client.closed
    return true
  }
  return Promise.race([stop().catch(() => false), delay(10_000, false, { ref: false })])
}

const killIfAlive = (pid: number): void => {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended, as it should.
  }
}

/** Resolves with the first event that fits, from now on. */
export const nextEvent = <Name extends Parameters<Client['on']>[0]>(
  client: Client,
  name: Name,
  fits: (data: Parameters<Parameters<typeof client.on<Name>>[1]>[0]) => boolean,
): Promise<Parameters<Parameters<typeof client.on<Name>>[1]>[0]> =>
  new Promise((resolve) => {
    const off = client.on(name, (data) => {
      if (!fits(data)) return
      off()
      resolve(data)
    })
  })
