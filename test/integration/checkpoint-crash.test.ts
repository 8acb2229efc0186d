import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createRepository, createScratch, gitIn, openStore, SESSION, stateOf } from './checkpoint-fixture.ts'

/** Instants at which each of the three is killed: raise it for a long run. */
const KILLS = Number(process.env['HOLDFAST_CHECKPOINT_KILLS'] ?? 6)
const TIME_LIMIT = Math.max(180_000, KILLS * 20_000)
const CHILD = new URL('../fixtures/checkpoint-child.ts', import.meta.url).pathname

let scratch: ReturnType<typeof createScratch>
let root: string
let folder: string

const fill = (text: string, from: number, to: number): void => {
  for (let index = from; index < to; index += 1) {
    mkdirSync(join(root, `d${index % 10}`), { recursive: true })
    writeFileSync(join(root, `d${index % 10}`, `${index}.txt`), `${text} ${index}\n`)
  }
}

beforeEach(() => {
  scratch = createScratch(existsSync('/dev/shm') ? '/dev/shm' : undefined)
  root = join(scratch.folder, 'project')
  folder = join(scratch.folder, 'store')
  createRepository(root)
  fill('first', 0, 150)
  gitIn(root, 'add', '-A')
  gitIn(root, 'commit', '-q', '-m', 'first')
  fill('untracked', 150, 200)
})
afterEach(() => scratch.remove())

/** Runs the child and kills it after the given time; resolves to whether it had ended by itself, and how long it took. */
const runKilled = async (verb: string, target: string, afterMs: number): Promise<{ done: boolean; tookMs: number }> => {
  const child = spawn(process.execPath, [CHILD, folder, root, verb, target], { stdio: ['ignore', 'pipe', 'inherit'], env: { PATH: process.env['PATH'] ?? '' } })
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
  await new Promise((resolve) => child.stdout.once('data', resolve))
  child.stdout.resume()
  const begun = performance.now()
  const timer = new AbortController()
  void after(afterMs, undefined, { signal: timer.signal }).then(() => child.kill('SIGKILL'), () => undefined)
  const code = await ended
  timer.abort()
  return { done: code === 0, tookMs: performance.now() - begun }
}

/** A run to the end, which says how long one takes here, and then kills spread over that time. */
const killAtInstants = async (prepare: () => Promise<{ verb: string; target: string }>, check: (done: boolean) => Promise<void>): Promise<void> => {
  const first = await prepare()
  const { tookMs } = await runKilled(first.verb, first.target, 60_000)
  await check(true)
  let killed = 0
  for (let index = 0; index < KILLS; index += 1) {
    const { verb, target } = await prepare()
    const { done } = await runKilled(verb, target, (tookMs * (index + Math.random())) / KILLS)
    if (!done) killed += 1
    await check(done)
  }
  expect(killed).toBeGreaterThan(0)
}

test(`a checkpoint killed at any instant (${KILLS}) leaves the tree alone, and the next one is whole`, async () => {
  let round = 0
  let before: unknown
  await killAtInstants(
    async () => {
      fill(`round ${(round += 1)}`, 100, 200)
      before = stateOf(root)
      return { verb: 'create', target: '' }
    },
    async () => {
      expect(stateOf(root)).toEqual(before)
      const store = openStore(folder)
      const checkpoint = await store.create({ sessionId: SESSION, root, reason: 'on-demand' })
      rmSync(root, { recursive: true })
      await store.revert({ sessionId: SESSION, target: checkpoint.id })
      expect(stateOf(root)).toEqual(before)
    },
  )
}, TIME_LIMIT)

test(`a revert and an undo killed at any instant (${KILLS} each) come to the same end when run again`, async () => {
  const started = stateOf(root)
  const checkpoint = await openStore(folder).create({ sessionId: SESSION, root, reason: 'start' })
  let round = 0
  let killed: unknown
  const agent = async () => {
    fill(`agent ${(round += 1)}`, 50, 250)
    rmSync(join(root, 'd3'), { recursive: true })
    writeFileSync(join(root, 'd3'), 'a file now')
    gitIn(root, 'checkout', '-q', '-B', `agent-${round}`)
    gitIn(root, 'add', '-A')
    gitIn(root, 'commit', '-q', '-m', 'agent')
    if (round % 2 === 0) gitIn(root, 'pack-refs', '--all')
    killed = stateOf(root)
    // The session is seen at work, so that a revert is not taken for one over the user's own edits.
    await openStore(folder).create({ sessionId: SESSION, root, reason: 'killed' })
  }
  await killAtInstants(
    async () => {
      await agent()
      return { verb: 'revert', target: checkpoint.id }
    },
    async (done) => {
      const store = openStore(folder)
      if (!done) await store.revert({ sessionId: SESSION, target: checkpoint.id })
      expect(stateOf(root)).toEqual(started)
      await store.undo({ sessionId: SESSION })
      expect(stateOf(root)).toEqual(killed)
      await store.create({ sessionId: SESSION, root, reason: 'killed' })
      await store.revert({ sessionId: SESSION, target: checkpoint.id })
    },
  )
  let depth = 0
  await killAtInstants(
    async () => {
      await agent()
      await openStore(folder).revert({ sessionId: SESSION, target: checkpoint.id })
      depth = (await openStore(folder).list(SESSION)).length
      return { verb: 'undo', target: '' }
    },
    async () => {
      const store = openStore(folder)
      // Killed before it had begun, killed on the way, or done: only the first two have something left to do.
      if (JSON.stringify(stateOf(root)) !== JSON.stringify(killed)) await store.undo({ sessionId: SESSION })
      expect(stateOf(root)).toEqual(killed)
      expect((await store.list(SESSION)).length).toBeGreaterThan(depth)
      await store.create({ sessionId: SESSION, root, reason: 'killed' })
      await store.revert({ sessionId: SESSION, target: checkpoint.id })
      expect(stateOf(root)).toEqual(started)
    },
  )
}, TIME_LIMIT)
