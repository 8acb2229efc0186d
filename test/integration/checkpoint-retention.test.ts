import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createCheckpointStore } from '../../shared/core/checkpoints/create-checkpoint-store.ts'
import { CheckpointId, formatId } from '../../shared/contract/ids.ts'
import { randomBytes } from 'node:crypto'
import { createProject, filesBelow, gitIn, OTHER_SESSION, SESSION, stateOf } from './checkpoint-fixture.ts'

let { scratch, root, file, write, commit }: ReturnType<typeof createProject> = {} as never
let folder: string
let now = 0
let store: ReturnType<typeof createCheckpointStore>
const noLimit = { maxAgeMs: Infinity, maxBytes: Infinity }
const nobody = () => false
beforeEach(() => {
  ;({ scratch, root, file, write, commit } = createProject())
  folder = join(scratch.folder, 'store')
  now = 1_000
  store = createCheckpointStore({ folder, clock: { now: () => now }, ids: { checkpoint: () => CheckpointId.parse(formatId('chk', randomBytes(12))) } })
})
afterEach(() => scratch.remove())

const create = (sessionId = SESSION, reason: 'start' | 'on-demand' = 'on-demand') => store.create({ sessionId, root, reason })
const noise = (kib: number) => randomBytes(kib * 1024)
const bytes = async () => (await store.usage())[0]?.bytes ?? 0

test('by age: the old go, the pinned and the start of a live session stay and still restore, and so does the rest', async () => {
  const started = stateOf(root)
  const start = await create(SESSION, 'start')
  write('big.bin', noise(900))
  const pinned = await create()
  await store.pin({ sessionId: SESSION, id: pinned.id, pinned: true })
  write('big.bin', noise(900))
  const old = await create()
  write('big.bin', noise(900))
  now = 10_000
  const young = await create()
  const youngState = stateOf(root)
  const before = await bytes()
  expect(await store.prune({ limits: { ...noLimit, maxAgeMs: 5_000 }, isLive: (id) => id === SESSION })).toEqual([old.id])
  expect(await bytes()).toBeLessThan(before - 800 * 1024)
  expect((await store.list(SESSION)).map(({ id, pinned: is }) => [id, is])).toEqual([[start.id, false], [pinned.id, true], [young.id, false]])
  await store.revert({ sessionId: SESSION, target: start.id })
  expect(stateOf(root)).toEqual(started)
  await store.revert({ sessionId: SESSION, target: young.id })
  expect(stateOf(root)).toEqual(youngState)
  await store.pin({ sessionId: SESSION, id: pinned.id, pinned: false })
  now = 100_000
  expect(await store.prune({ limits: { ...noLimit, maxAgeMs: 5_000 }, isLive: nobody })).toHaveLength(5)
  expect(await store.list(SESSION)).toEqual([])
  expect(readdirSync(join(folder, 'projects'))).toEqual([])
  expect(await store.usage()).toEqual([])
})

test('by bytes: the oldest unpinned go one by one until the rest fits, and no more', async () => {
  const made = []
  for (let index = 0; index < 4; index += 1) {
    now += 1
    write('big.bin', noise(500))
    made.push((await create()).id)
  }
  const removed = await store.prune({ limits: { ...noLimit, maxBytes: 1_300 * 1024 }, isLive: nobody })
  expect(removed).toEqual(made.slice(0, 2))
  expect(await bytes()).toBeLessThan(1_300 * 1024)
  unlinkSync(file('big.bin'))
  await store.revert({ sessionId: SESSION, target: made[2] as CheckpointId, paths: ['.'] })
  expect(readFileSync(file('big.bin')).length).toBe(500 * 1024)
})

test('a project keeps to the limits that its newest session brought, whatever holds for others', async () => {
  write('a.txt', 'a')
  const old = await store.create({ sessionId: SESSION, root, reason: 'start', limits: { maxAgeMs: 500, maxBytes: 1e12 } })
  now += 1_000
  expect(await store.prune({ limits: null, isLive: nobody })).toEqual([])
  const kept = await store.create({ sessionId: OTHER_SESSION, root, reason: 'start', limits: { maxAgeMs: 5_000, maxBytes: 1e12 } })
  expect(await store.prune({ limits: { maxAgeMs: 1, maxBytes: 1 }, isLive: nobody })).toEqual([])
  now += 4_500
  expect(await store.prune({ limits: noLimit, isLive: nobody })).toEqual([old.id])
  now += 1_000
  expect(await store.prune({ limits: noLimit, isLive: nobody })).toEqual([kept.id])
})

test('what the repository holds takes no room until it lets go, and two sessions in one folder share all', async () => {
  write('big.bin', noise(2_000))
  commit('big')
  gitIn(root, 'gc', '-q')
  await create(SESSION, 'start')
  expect(await bytes()).toBeLessThan(400 * 1024)
  expect((await store.usage())[0]).toMatchObject({ root, checkpoints: 1, sharedBytes: expect.any(Number) as number })
  expect((await store.usage())[0]?.sharedBytes).toBeGreaterThan(2_000 * 1024)
  const before = await bytes()
  await create(OTHER_SESSION, 'start')
  expect(await bytes()).toBe(before)
  gitIn(root, 'reset', '-q', '--hard', 'HEAD~1')
  gitIn(root, 'reflog', 'expire', '--expire=now', '--all')
  gitIn(root, 'gc', '-q', '--prune=now')
  expect(await bytes()).toBeGreaterThan(2_000 * 1024)
})

test('after a prune that drops objects the repository has lost since, the next checkpoint is whole', async () => {
  write('kept.txt', 'once committed\n')
  commit('kept')
  const old = await create(SESSION, 'start')
  gitIn(root, 'update-ref', '-d', 'HEAD')
  gitIn(root, 'rm', '-q', '-r', '--cached', '.')
  gitIn(root, 'reflog', 'expire', '--expire=now', '--all')
  gitIn(root, 'gc', '-q', '--prune=now')
  now = 10_000
  const state = filesBelow(root)
  const young = await create(OTHER_SESSION, 'start')
  expect(await store.prune({ limits: { ...noLimit, maxAgeMs: 5_000 }, isLive: nobody })).toEqual([old.id])
  const last = await create(OTHER_SESSION)
  unlinkSync(file('kept.txt'))
  await store.revert({ sessionId: OTHER_SESSION, target: last.id, paths: ['.'] })
  expect(filesBelow(root)).toEqual(state)
  unlinkSync(file('kept.txt'))
  await store.revert({ sessionId: OTHER_SESSION, target: young.id, paths: ['.'] })
  expect(filesBelow(root)).toEqual(state)
})

test('a difference names every path with what happened to it, between two checkpoints and to the present', async () => {
  write('gone.txt', 'x')
  write('mode.sh', 'm')
  const from = await create(SESSION, 'start')
  unlinkSync(file('gone.txt'))
  write('tracked.txt', 'changed')
  write('new\nline', 'n')
  execFileSync('chmod', ['755', file('mode.sh')])
  execFileSync('chmod', ['600', file('src/deep/code.ts')])
  commit('agent')
  const expected = [
    ['gone.txt', 'deleted'], ['mode.sh', 'permissions'], ['new\nline', 'added'], ['src/deep/code.ts', 'permissions'], ['tracked.txt', 'modified'],
  ]
  const now_ = await store.diff({ sessionId: SESSION, from: from.id, to: null })
  expect(now_.changes.map(({ path, change, by }) => [path, change, by])).toEqual(expected.map((one) => [...one, 'session']))
  expect(now_).toMatchObject({ to: null, counts: { added: 1, modified: 3, deleted: 1, leftAlone: 0, conflicts: 0 }, omitted: 0, refsMoved: ['refs/heads/main'] })
  expect(await store.list(SESSION)).toHaveLength(1)
  const to = await create()
  const between = await store.diff({ sessionId: SESSION, from: from.id, to: to.id })
  expect(between.changes.map(({ path, change, by }) => [path, change, by])).toEqual(expected.map((one) => [...one, null]))
  writeFileSync(file('tracked.txt'), 'more')
  expect((await store.diff({ sessionId: SESSION, from: to.id, to: null })).changes).toEqual([{ path: 'tracked.txt', change: 'modified', by: 'session' }])
  expect(existsSync(file('.git'))).toBe(true)
})
