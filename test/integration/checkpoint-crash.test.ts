import { spawn } from 'node:child_process'
import { build } from 'esbuild'
import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { SessionId } from '../../shared/contract/ids.ts'
import { randomIds } from '../../shared/core/identifiers.ts'
import { createRepository, createScratch, filesBelow, gitIn, openStore, stateOf } from './checkpoint-fixture.ts'

/** Kills of each of the three on their way: 201 in all. Raise it for a long run. */
const KILLS = Number(process.env['HOLDFAST_CHECKPOINT_KILLS'] ?? 67)
const TIME_LIMIT = Math.max(180_000, KILLS * 10_000)
/** What git makes of the files is asked each so many rounds; the files themselves, refs and index among them, each round. */
const GIT_EVERY = 8
const FIXTURE = new URL('../fixtures/checkpoint-child.ts', import.meta.url).pathname
const PACKAGES = new URL('../../node_modules', import.meta.url).pathname
/** What the packages in CommonJS call. */
const REQUIRE = `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url)`

let compiled: ReturnType<typeof createScratch>
let program: string
/** One file, as it is started hundreds of times. */
beforeAll(async () => {
  compiled = createScratch()
  program = join(compiled.folder, 'child.mjs')
  symlinkSync(PACKAGES, join(compiled.folder, 'node_modules'))
  await build({ entryPoints: [FIXTURE], outfile: program, bundle: true, platform: 'node', format: 'esm', external: ['better-sqlite3', 'koffi'], banner: { js: REQUIRE } })
})
afterAll(() => compiled.remove())

let scratch: ReturnType<typeof createScratch>
let root: string
let folder: string
let environment: Record<string, string>

const fill = (text: string, from: number, to: number): void => {
  for (let index = from; index < to; index += 1) {
    if (existsSync(join(root, 'd3')) && index % 5 === 3) rmSync(join(root, 'd3'), { recursive: true })
    mkdirSync(join(root, `d${index % 5}`), { recursive: true })
    writeFileSync(join(root, `d${index % 5}`, `${index}.txt`), `${text} ${index}\n`)
  }
}

beforeEach(() => {
  scratch = createScratch(existsSync('/dev/shm') ? '/dev/shm' : undefined)
  root = join(scratch.folder, 'project')
  folder = join(scratch.folder, 'store')
  environment = { PATH: process.env['PATH'] ?? '', NODE_COMPILE_CACHE: compiled.folder }
  createRepository(root)
  fill('first', 0, 40)
  gitIn(root, 'add', '-A')
  gitIn(root, 'commit', '-q', '-m', 'first')
  fill('untracked', 40, 50)
})
afterEach(() => scratch.remove())

interface Order {
  readonly sessionId: SessionId
  readonly verb: 'create' | 'revert' | 'undo'
  readonly target?: string
}

/** Runs the child and kills it after the given time; resolves to whether that found it at work, and how long it took. */
const runKilled = async ({ sessionId, verb, target = '' }: Order, afterMs: number): Promise<{ killed: boolean; tookMs: number }> => {
  const child = spawn(process.execPath, [program, folder, root, sessionId, verb, target], { stdio: ['ignore', 'pipe', 'inherit'], env: environment })
  const ended = new Promise<NodeJS.Signals | null>((resolve) => child.on('close', (_code, signal) => resolve(signal)))
  await new Promise((resolve) => child.stdout.once('data', resolve))
  child.stdout.resume()
  const begun = performance.now()
  const timer = new AbortController()
  void after(afterMs, undefined, { signal: timer.signal }).then(() => child.kill('SIGKILL'), () => undefined)
  const signal = await ended
  timer.abort()
  return { killed: signal !== null, tookMs: performance.now() - begun }
}

/**
 * A run to the end, which says how long one takes here, and then kills spread over that time: of the first attempt, of the
 * first two, or of the first three, before the outcome is looked at.
 */
const killAtInstants = async (prepare: (round: number) => Promise<Order>, check: (order: Order, done: boolean, round: number) => Promise<void>): Promise<void> => {
  const first = await prepare(0)
  let { tookMs } = await runKilled(first, 60_000)
  await check(first, true, 0)
  let killed = 0
  for (let round = 1; killed < KILLS; round += 1) {
    const order = await prepare(round)
    let done = false
    for (let attempt = 0; attempt <= round % 3 && !done; attempt += 1) {
      const end = await runKilled(order, tookMs * Math.random())
      done = !end.killed
      if (end.killed) killed += 1
      // Those that end before are quicker than was thought.
      else tookMs = end.tookMs
    }
    await check(order, done, round)
  }
}

const look = (round: number) => (round % GIT_EVERY === 0 ? stateOf(root) : { files: filesBelow(root) })

/** A session with its first checkpoint, and an agent at work on everything in it. */
const createSession = async (round: number) => {
  const store = openStore(folder)
  const sessionId = randomIds.session()
  const started = look(round)
  const { id } = await store.create({ sessionId, root, reason: 'start' })
  fill(`agent ${round}`, 20, 60)
  rmSync(join(root, 'd3'), { recursive: true })
  writeFileSync(join(root, 'd3'), 'a file now')
  gitIn(root, 'checkout', '-q', '-B', `agent-${round}`)
  gitIn(root, 'add', '-A')
  gitIn(root, 'commit', '-q', '-m', 'agent')
  if (round % 2 === 0) gitIn(root, 'pack-refs', '--all')
  return { store, sessionId, target: id, started, killed: look(round) }
}

test(`a checkpoint killed at any instant (${KILLS}) leaves the tree alone, and the next one is whole`, async () => {
  let before: unknown
  await killAtInstants(
    async (round) => {
      fill(`round ${round}`, 20, 50)
      before = look(round)
      return { sessionId: randomIds.session(), verb: 'create' }
    },
    async ({ sessionId }, _done, round) => {
      expect(look(round)).toEqual(before)
      const store = openStore(folder)
      const checkpoint = await store.create({ sessionId, root, reason: 'on-demand' })
      rmSync(root, { recursive: true })
      await store.revert({ sessionId, target: checkpoint.id })
      await store.mark({ sessionId, state: 'over' })
      expect(look(round)).toEqual(before)
    },
  )
}, TIME_LIMIT)

test(`a revert killed at any instant (${KILLS}) comes to the same end when run again, and can be undone`, async () => {
  let session: Awaited<ReturnType<typeof createSession>>
  await killAtInstants(
    async (round) => {
      session = await createSession(round)
      return { sessionId: session.sessionId, verb: 'revert', target: session.target }
    },
    async (_order, done, round) => {
      const { store, sessionId, target, started, killed } = session
      if (!done) await store.revert({ sessionId, target })
      expect(look(round)).toEqual(started)
      await store.undo({ sessionId })
      expect(look(round)).toEqual(killed)
      await store.mark({ sessionId, state: 'over' })
    },
  )
}, TIME_LIMIT)

test(`an undo killed at any instant (${KILLS}) comes to the same end when run again`, async () => {
  let session: Awaited<ReturnType<typeof createSession>>
  await killAtInstants(
    async (round) => {
      session = await createSession(round)
      await session.store.revert({ sessionId: session.sessionId, target: session.target })
      return { sessionId: session.sessionId, verb: 'undo' }
    },
    async (_order, _done, round) => {
      const { store, sessionId, killed } = session
      // Killed before it had begun, killed on the way, or done: only the first two have something left to do.
      if (!isDeepStrictEqual(look(round), killed)) await store.undo({ sessionId })
      expect(look(round)).toEqual(killed)
      await store.mark({ sessionId, state: 'over' })
    },
  )
}, TIME_LIMIT)
