import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createProcessLock } from '../../shared/core/storage/process-lock.ts'
import { createProject, openStore, SESSION, stateOf } from './checkpoint-fixture.ts'

let { scratch, root, file, write, commit }: ReturnType<typeof createProject> = {} as never
beforeEach(() => void ({ scratch, root, file, write, commit } = createProject()))
afterEach(() => scratch.remove())

const fixture = (name: string): string => new URL(`../fixtures/${name}`, import.meta.url).pathname
const run = (name: string, ...args: string[]) =>
  spawn(process.execPath, [fixture(name), ...args], { stdio: ['ignore', 'pipe', 'inherit'], env: { PATH: process.env['PATH'] ?? '' } })

test('the lock of a process that was killed is free, and whoever takes it knows that another has had it', async () => {
  const at = join(scratch.folder, 'store/lock')
  const mine = createProcessLock(at)
  expect(await mine.acquire()).toBe(true)
  mine.release()
  expect(await mine.acquire()).toBe(false)
  mine.release()
  const child = run('process-lock-child.ts', at)
  await once(child.stdout, 'data')
  await expect(createProcessLock(at, 50).acquire()).rejects.toMatchObject({ code: 'host-busy', message: expect.stringContaining(String(child.pid)) as string })
  let isMine = false
  const waiting = mine.acquire().then((isOthers) => {
    isMine = true
    return isOthers
  })
  child.kill('SIGSTOP')
  await expect(createProcessLock(at, 50).acquire()).rejects.toMatchObject({ code: 'host-busy' })
  expect(isMine).toBe(false)
  child.kill('SIGKILL')
  expect(await waiting).toBe(true)
  mine.release()
})

test('two processes at work on one store at once, on one folder, do not mix: every checkpoint comes back as it was taken', async () => {
  const folder = join(scratch.folder, 'store')
  const store = openStore(folder)
  const start = await store.create({ sessionId: SESSION, root, reason: 'start' })
  const started = stateOf(root)
  const states = new Map<string, unknown>()
  for (let round = 0; round < 4; round += 1) {
    write(`round-${round}.txt`, `${round}`)
    write('tracked.txt', `${round}`)
    if (round === 2) commit('agent')
    const child = run('checkpoint-child.ts', folder, root, SESSION, 'create')
    const [here] = await Promise.all([store.create({ sessionId: SESSION, root, reason: 'on-demand' }), once(child, 'close')])
    expect(child.exitCode).toBe(0)
    states.set(here.id, stateOf(root))
  }
  const all = await store.list(SESSION)
  expect(all.map(({ reason }) => reason).sort()).toEqual(['killed', 'killed', 'killed', 'killed', 'on-demand', 'on-demand', 'on-demand', 'on-demand', 'start'])
  rmSync(file('src'), { recursive: true })
  const child = run('checkpoint-child.ts', folder, root, SESSION, 'revert', start.id)
  await once(child, 'close')
  expect(stateOf(root)).toEqual(started)
  for (const [id, state] of states) {
    await store.revert({ sessionId: SESSION, target: id as typeof start.id })
    expect(stateOf(root)).toEqual(state)
  }
  const undoing = run('checkpoint-child.ts', folder, root, SESSION, 'undo')
  await once(undoing, 'close')
  expect(stateOf(root)).toEqual([...states.values()].at(-2))
  expect(readFileSync(join(folder, 'lock.holder'), 'utf8')).toMatch(new RegExp(`^${undoing.pid} `))
})
