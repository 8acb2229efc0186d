import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { PROTOCOL_VERSION, type CommandResult } from '../../shared/contract/protocol.ts'
import type { Connection, Dispatch } from '../../shared/core/api/dispatcher.ts'
import { createEventHub } from '../../shared/core/api/event-hub.ts'
import { createCheckpointStore } from '../../shared/core/checkpoints/create-checkpoint-store.ts'
import { randomIds, systemClock } from '../../shared/core/identifiers.ts'
import { resolvePaths } from '../../shared/core/paths.ts'
import { processStartTime } from '../../shared/core/process-info.ts'
import { writeEndpoint } from '../../shared/core/transports/endpoint-file.ts'
import { listenLocalSocket, type LocalSocketServer } from '../../shared/core/transports/local-socket-server.ts'
import { emergencyKill } from '../../shared/host/cli/emergency-kill.ts'
import { aliveWith, makeScene, printed, PROVIDERS } from '../fixtures/containers.ts'

const plain = PROVIDERS.find(({ name }) => name === 'plain')
const TOKEN = 'a-token-of-this-test-and-nothing-else-0123'

let home: string
let server: LocalSocketServer | null = null
let asked: string[] = []
beforeEach(async () => {
  asked = []
  home = await mkdtemp(join(tmpdir(), 'hf-'))
  vi.stubEnv('HOLDFAST_HOME', home)
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await server?.close()
  server = null
  rmSync(home, { recursive: true, force: true })
})

/** A host that answers what it is asked with `answer`, and knows nothing. */
const listen = async (answer: (connection: Connection, command: string) => object | Promise<object>): Promise<void> => {
  const paths = resolvePaths(process.env)
  mkdirSync(paths.run, { recursive: true, mode: 0o700 })
  const socketPath = join(paths.run, 'host.sock')
  const dispatch: Dispatch = async (connection, { id, command }) => {
    asked.push(command)
    return { id, ...(await answer(connection, command)) } as Awaited<ReturnType<Dispatch>>
  }
  server = await listenLocalSocket({ socketPath, token: TOKEN, dispatch, hub: createEventHub(), isForbiddenPeer: () => false })
  await writeEndpoint(paths.run, { protocol: PROTOCOL_VERSION, pid: process.pid, processStartTime: processStartTime(process.pid), socketPath, token: TOKEN })
}

const info: { result: CommandResult<'host/info'> } = { result: { version: '0', pid: 1, startedAt: 0, dataFolder: '/', sessions: 1, approvalsPage: null } }
const never = new Promise<object>(() => undefined)

/** A real session's processes, with a checkpoint of its start, and a change made since. */
const launch = async () => {
  const paths = resolvePaths(process.env)
  const scene = makeScene()
  const checkpoints = createCheckpointStore({ folder: paths.checkpoints, clock: systemClock, ids: randomIds })
  const marker = `100000.${process.pid}77`
  const base = scene.spec(`(setsid sleep ${marker} & ) & echo up; exec sleep ${marker}`)
  const spec = { ...base, killFile: join(paths.killFiles, `${base.sessionId}.json`) }
  await checkpoints.create({ sessionId: spec.sessionId, root: scene.project, reason: 'start' })
  const container = await plain!.provider.launch(spec)
  await printed(container, 'up')
  writeFileSync(join(scene.project, 'made-by-the-agent'), '')
  return { sessionId: spec.sessionId, marker, changed: () => existsSync(join(scene.project, 'made-by-the-agent')), end: () => rmSync(scene.folder, { recursive: true, force: true }) }
}

describe.skipIf(plain?.missing !== null)('an emergency kill', () => {
  const killed = async (): Promise<void> => {
    const notes: string[] = []
    const session = await launch()
    try {
      const reports = await emergencyKill('all', false, { json: false, result: () => undefined, note: (line) => void notes.push(line) })
      expect(aliveWith(session.marker)).toEqual([])
      expect(asked).toContain('session/kill')
      expect(reports).toMatchObject([{ sessionId: session.sessionId, survivors: [], restoreProblem: null }])
      expect(session.changed()).toBe(false)
      expect(notes).toEqual(['the host does not answer: killing without it'])
    } finally {
      session.end()
    }
  }

  it('is done without a host that greets, and then answers neither the kill nor anything else', async () => {
    let greeted = false
    await listen(() => {
      if (greeted) return never
      greeted = true
      return info
    })
    await killed()
  })

  it('is done without a host that drops the connection in the middle', async () => {
    await listen((connection, command) => {
      if (command !== 'session/kill') return info
      connection.close()
      return never
    })
    await killed()
  })

  it('is done without a host that fails at it', async () => {
    await listen((_, command) => (command === 'session/kill' ? { error: { code: 'internal', message: 'Something went wrong.' } } : info))
    await killed()
  })

  it('ends the processes beside a host that is slow, and leaves putting back to it', async () => {
    const { promise, resolve } = Promise.withResolvers<object>()
    await listen((_, command) => (command === 'session/kill' ? promise : info))
    const session = await launch()
    try {
      const reported = emergencyKill([session.sessionId], false, { json: false, result: () => undefined, note: () => undefined })
      while (aliveWith(session.marker).length > 0) await new Promise((next) => setTimeout(next, 20))
      expect(session.changed()).toBe(true)
      const report = { sessionId: session.sessionId, processesKilled: 2, survivors: [], durationMs: 1, restore: null, restoreProblem: null }
      resolve({ result: { reports: [report] } })
      expect(await reported).toEqual([report])
    } finally {
      session.end()
    }
  })
})
