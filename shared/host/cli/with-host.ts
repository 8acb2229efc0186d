import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Client } from '../../contract/client.ts'
import { HoldfastError } from '../../contract/errors.ts'
import { HOST_VARIABLES } from '../../contract/schemas/host.ts'
import { resolvePaths, type Paths } from '../../core/paths.ts'
import { readEndpoint } from '../../core/transports/endpoint-file.ts'
import { connectLocal } from '../../core/transports/local-socket-client.ts'

const START_TIMEOUT_MS = 15_000

const hostEnvironment = (): Record<string, string> =>
  Object.fromEntries(HOST_VARIABLES.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])))

/** Connects to the host that runs, or null when none does. Throws when one runs that cannot be talked to, in time if one is given. */
export const connectRunningHost = async (paths: Paths, readyWithinMs?: number): Promise<Client | null> => {
  const endpoint = await readEndpoint(paths.run)
  if (endpoint === null) return null
  try {
    return await connectLocal(endpoint, 'cli', readyWithinMs)
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'no-host') return null
    throw error
  }
}

/**
 * Node gives what is soon forgotten more room than a desktop has to spare: with 200 streams at once the gateway took
 * 391 MB, with this 294.
 */
export const HOST_OPTIONS = ['--max-semi-space-size=8']

/**
 * Starts a host and waits until it says that it listens, or why it does not.
 * Throws HoldfastError as the host told it, or `no-host`.
 */
const startHost = async (paths: Paths): Promise<void> => {
  let log: number
  try {
    mkdirSync(dirname(paths.log), { recursive: true, mode: 0o700 })
    log = openSync(paths.log, 'a', 0o600)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    const where = dirname(paths.log)
    if (code === 'ENOSPC') throw new HoldfastError('disk-full', `The disk is full: nothing can be written in ${where}. Free some space and try again.`)
    throw new HoldfastError('read-only', `Holdfast cannot write in ${where} (${code ?? 'no reason given'}). Make it writable, or set HOLDFAST_HOME to a folder that is.`)
  }
  const file = fileURLToPath(new URL('./host-main.mjs', import.meta.url))
  const child = spawn(process.execPath, [...HOST_OPTIONS, file], { detached: true, env: { ...hostEnvironment(), NODE_COMPILE_CACHE: paths.compiled }, cwd: '/', stdio: ['ignore', 'ignore', log, 'ipc'] })
  closeSync(log)
  try {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new HoldfastError('no-host', `The host did not start within ${START_TIMEOUT_MS / 1000} s. Its log: ${paths.log}`)), START_TIMEOUT_MS)
      const settle = (fault: HoldfastError | null): void => {
        clearTimeout(timer)
        if (fault === null) resolve()
        else reject(fault)
      }
      child.once('error', (error) => settle(new HoldfastError('no-host', `The host could not be started: ${error.message}`)))
      const ended = (code: number | null): void => settle(new HoldfastError('no-host', `The host ended while it started (exit code ${String(code)}). Its log: ${paths.log}`))
      child.once('exit', ended)
      child.once('message', (message) => {
        child.off('exit', ended)
        const told = message as { ready?: true; error?: ConstructorParameters<typeof HoldfastError>[0]; message?: string }
        // Another host was quicker: that one serves as well.
        if (told.ready === true || told.error === 'host-busy') settle(null)
        else child.once('exit', () => settle(new HoldfastError(told.error ?? 'no-host', told.message ?? 'The host did not start.')))
      })
    })
  } finally {
    child.removeAllListeners()
    if (child.connected) child.disconnect()
    child.unref()
  }
}

/** A client of this user's host, which is started when none runs. */
export const connectHost = async (paths: Paths = resolvePaths(process.env)): Promise<Client> => {
  const running = await connectRunningHost(paths)
  if (running !== null) return running
  await startHost(paths)
  const deadline = Date.now() + START_TIMEOUT_MS
  for (;;) {
    const started = await connectRunningHost(paths)
    if (started !== null) return started
    if (Date.now() > deadline) throw new HoldfastError('no-host', `A host was started but does not answer. Its log: ${paths.log}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** Runs `work` with a client and closes it afterwards. */
export const withHost = async <Result>(work: (client: Client) => Promise<Result>): Promise<Result> => {
  const client = await connectHost()
  try {
    return await work(client)
  } finally {
    client.close()
  }
}
