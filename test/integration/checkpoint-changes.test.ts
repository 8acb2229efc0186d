import { createHash } from 'node:crypto'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { FolderState } from '../../shared/core/ports.ts'
import { createRepository, createScratch, gitIn, openStore, SESSION } from './checkpoint-fixture.ts'

let scratch: ReturnType<typeof createScratch>
let root = ''
beforeEach(() => {
  scratch = createScratch()
  root = join(scratch.folder, 'project')
  createRepository(root)
  mkdirSync(join(root, 'src'))
  writeFileSync(join(root, 'src', 'kept.txt'), 'one\ntwo\n')
  writeFileSync(join(root, 'src', 'gone.txt'), 'gone\n')
  gitIn(root, 'add', '--all')
  gitIn(root, 'commit', '--quiet', '--message', 'first')
})
afterEach(() => scratch.remove())

const start = async () => {
  const store = openStore(join(scratch.folder, 'store'))
  const extra = join(scratch.folder, 'extra')
  mkdirSync(extra)
  const { id } = await store.create({ sessionId: SESSION, root, extraRoots: [extra], reason: 'start' })
  const look = async (): Promise<FolderState> => (await store.look({ sessionId: SESSION })) as FolderState
  return { store, extra, id, look }
}

test('counts files and lines, and keeps the diff under its hash, without what git itself keeps', async () => {
  const { store, extra, id, look } = await start()
  const before = await look()
  expect(await store.changes({ sessionId: SESSION, from: id, to: before })).toBe(null)
  writeFileSync(join(root, 'src', 'kept.txt'), 'one\n2\nthree\n')
  rmSync(join(root, 'src', 'gone.txt'))
  writeFileSync(join(root, 'src', 'é "new"\n.txt'), 'new\n')
  writeFileSync(join(root, 'large.txt'), 'x\n'.repeat(400_000))
  writeFileSync(join(extra, 'note.txt'), 'note\n')
  gitIn(root, 'add', '--all')
  const changes = await store.changes({ sessionId: SESSION, from: before, to: await look() })
  expect(changes?.counts).toEqual({ added: 3, modified: 1, deleted: 1, linesAdded: 4, linesRemoved: 2 })
  expect(changes?.files).toEqual([
    { path: join(extra, 'note.txt'), change: 'added', added: 1, removed: 0 },
    { path: 'large.txt', change: 'added', added: null, removed: null },
    { path: 'src/gone.txt', change: 'deleted', added: 0, removed: 1 },
    { path: 'src/kept.txt', change: 'modified', added: 2, removed: 1 },
    { path: 'src/é "new"\n.txt', change: 'added', added: 1, removed: 0 },
  ])
  expect(changes?.refs).toEqual([])
  const sha256 = changes?.diff?.sha256 ?? ''
  const text = await store.recordedDiff({ sessionId: SESSION, sha256 })
  expect(createHash('sha256').update(text).digest('hex')).toBe(sha256)
  expect(text).toContain('\n-two\n+2\n+three\n')
  expect(text).toContain('\n+note\n')
  expect(text).not.toMatch(/index \w+\.\.\w+ 100644\nBinary files \S*\.git/)
  expect(text).not.toContain('.git')
  await expect(store.recordedDiff({ sessionId: SESSION, sha256: 'f'.repeat(64) })).rejects.toMatchObject({ code: 'not-found' })
})

test('a diff that is too long is not kept; its files are counted', async () => {
  const { store, id, look } = await start()
  for (let n = 0; n < 8; n += 1) writeFileSync(join(root, `part-${n}.txt`), `${'y'.repeat(99)}\n`.repeat(4_000))
  expect(await store.changes({ sessionId: SESSION, from: id, to: await look() })).toMatchObject({ diff: null, counts: { added: 8, linesAdded: 32_000 } })
})

test('names the refs that moved, and tells a push from a fetch', async () => {
  const origin = join(scratch.folder, 'origin.git')
  gitIn(scratch.folder, 'clone', '--quiet', '--bare', root, origin)
  gitIn(root, 'remote', 'add', 'origin', origin)
  const { store, id, look } = await start()
  const first = gitIn(root, 'rev-parse', 'HEAD').trim()
  gitIn(root, 'commit', '--quiet', '--allow-empty', '--message', 'second')
  const second = gitIn(root, 'rev-parse', 'HEAD').trim()
  gitIn(root, 'push', '--quiet', 'origin', 'main')
  const pushed = await look()
  expect((await store.changes({ sessionId: SESSION, from: id, to: pushed }))?.refs).toEqual([
    { ref: 'refs/heads/main', from: first, to: second, pushed: false },
    { ref: 'refs/remotes/origin/main', from: null, to: second, pushed: true },
  ])
  const other = join(scratch.folder, 'other')
  gitIn(scratch.folder, 'clone', '--quiet', origin, other)
  gitIn(other, 'commit', '--quiet', '--allow-empty', '--message', 'third')
  gitIn(other, 'push', '--quiet')
  gitIn(root, 'fetch', '--quiet')
  expect((await store.changes({ sessionId: SESSION, from: pushed, to: await look() }))?.refs).toEqual([
    { ref: 'refs/remotes/origin/main', from: second, to: gitIn(other, 'rev-parse', 'HEAD').trim(), pushed: false },
  ])
})
