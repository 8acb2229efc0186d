import fc from 'fast-check'
import { lstatSync } from 'node:fs'
import { expect, test } from 'vitest'
import { createBlobStream } from '../../shared/core/checkpoints/blob-stream.ts'
import { quoteLine } from '../../shared/core/checkpoints/byte-path.ts'
import { foundFile } from '../../shared/core/checkpoints/walk.ts'
import {
  decide, momentOf, parsePackedRefs, plainPath, planRestore, recoveryPath, toStoredName, type Entry, type Extras, type TreeChange,
} from '../../shared/domain/checkpoint-plan.ts'

const NO_EXTRAS: Extras = { files: {}, folders: {}, empty: [], indexTimes: {} }
const OLD: Entry = { mode: '100644', oid: 'a'.repeat(40), permissions: 0o644 }
const NEW: Entry = { ...OLD, oid: 'b'.repeat(40) }
const file = { mode: '100644' as const, oid: 'a'.repeat(40) }
const plan = (changes: TreeChange[], extras: { from?: Partial<Extras>; to?: Partial<Extras> } = {}) =>
  planRestore({ changes, from: { ...NO_EXTRAS, ...extras.from }, to: { ...NO_EXTRAS, ...extras.to }, isChosen: () => true, stays: () => false })

test('a path is restored only while it is as it was; what someone else changed is a conflict', () => {
  expect(decide(OLD, NEW, OLD)).toBe('restore')
  expect(decide(OLD, NEW, NEW)).toBe('done')
  expect(decide(OLD, NEW, { ...OLD, permissions: 0o600 })).toBe('conflict')
  expect(decide(OLD, NEW, null)).toBe('conflict')
  expect(decide(OLD, null, null)).toBe('done')
  expect(decide(null, NEW, null)).toBe('restore')
})

test('a folder that stands where a file goes is emptied before the write, and so is a file where a folder goes', () => {
  const steps = plan([
    { path: 'work/x', from: null, to: file },
    { path: 'work/x/deep/y', from: file, to: null },
    { path: 'work/z', from: file, to: null },
    { path: 'work/z/w', from: null, to: file },
    { path: 'work/other', from: file, to: null },
  ])
  expect(steps.blocking.map((step) => step.path)).toEqual(['work/x/deep/y', 'work/z'])
  expect(steps.clearing).toEqual(['work/x/deep', 'work/x'])
  expect(steps.writes.map((step) => step.path)).toEqual(['work/x', 'work/z/w'])
  expect(steps.removals.map((step) => step.path)).toEqual(['work/other'])
})

test('what git keeps is written after the working files', () => {
  const paths = ['work/.git~/HEAD', 'git/index', 'work/z', 'work/a'].map((path) => ({ path, from: null, to: file }))
  expect(plan(paths).writes.map((step) => step.path)).toEqual(['work/a', 'work/z', 'git/index', 'work/.git~/HEAD'])
})

test('a folder that was empty at the start is neither removed nor forgotten', () => {
  const steps = plan([{ path: 'work/kept/new', from: file, to: null }], { from: { empty: ['work/late'] }, to: { empty: ['work/kept'] } })
  expect(steps.emptied).toEqual(['work/late'])
  expect(steps.folders).toEqual(['work/kept'])
})

test('permissions alone are a step of their own, deepest first', () => {
  const steps = plan([], { from: { files: { 'work/a': 0o755 }, folders: {} }, to: { files: { 'work/a': 0o700, 'work/d/b': 0o600 }, folders: { 'work/d': 0o500 } } })
  expect(steps.permissions).toEqual([
    { path: 'work/d/b', from: 0o644, to: 0o600 },
    { path: 'work/a', from: 0o755, to: 0o700 },
    { path: 'work/d', from: 0o755, to: 0o500 },
  ])
})

test('HEAD, index and a merge under way belong to one moment; refs, logs and hooks do not', () => {
  expect(momentOf('work/.git~/index')).toBe('work/.git~')
  expect(momentOf('work/sub/.git~/rebase-merge/done')).toBe('work/sub/.git~')
  expect(momentOf('git/MERGE_HEAD')).toBe('git')
  for (const path of ['work/.git~/refs/heads/main', 'work/.git~/packed-refs', 'work/.git~/hooks/x', 'work/index']) expect(momentOf(path)).toBeNull()
})

test('stored names hide every spelling of .git from git, and come back', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('.git', '.GIT', '.git~', '.gIt~~', '.gitignore', 'a'), { minLength: 1 }), (names) => {
      const stored = names.map(toStoredName)
      expect(stored.some((name) => name.toLowerCase() === '.git')).toBe(false)
      expect(plainPath(stored.join('/'))).toBe(names.join('/'))
    }),
  )
})

test('a recovery name fits in 255 bytes and in the same folder', () => {
  expect(recoveryPath('/p/a.txt', 'tag')).toBe('/p/a.txt.holdfast-tag')
  expect(recoveryPath(`/p/${'n'.repeat(255)}`, 'tag')).toBe(`/p/${'n'.repeat(242)}.holdfast-tag`)
})

test('packed refs are read without header and peeled lines', () => {
  const [a, b] = ['a'.repeat(40), 'b'.repeat(40)]
  expect([...parsePackedRefs(`# pack-refs with: peeled\n${a} refs/heads/main\n${b} refs/tags/v1\n^${a}\n`)]).toEqual([
    ['refs/heads/main', a],
    ['refs/tags/v1', b],
  ])
})

test('only a path that git would misread on a line is quoted', () => {
  expect(quoteLine('/a b\xc3\xa9')).toBe('/a b\xc3\xa9')
  expect(quoteLine('/new\nli"ne\\\xff')).toBe('"/new\\012li\\042ne\\134\\377"')
})

test('a batch of objects is cut apart the same however its bytes arrive', () => {
  const contents = ['', 'one\n', 'x blob 3\n', '\0'.repeat(50)]
  const answer = Buffer.from(contents.map((text) => `${'a'.repeat(40)} blob ${text.length}\n${text}\n`).join(''), 'latin1')
  fc.assert(
    fc.property(fc.array(fc.nat(answer.length)), (cuts) => {
      const got: string[] = []
      const feed = createBlobStream(
        (position) => {
          got[position] = ''
          return { write: (chunk) => void (got[position] += chunk.toString('latin1')), end: () => void (got[position] += '.') }
        },
        () => {
          throw new Error('missing')
        },
      )
      const points = [0, ...cuts.toSorted((x, y) => x - y), answer.length]
      points.slice(1).forEach((point, index) => feed(answer.subarray(points[index], point)))
      expect(got).toEqual(contents.map((text) => `${text}.`))
    }),
  )
})

test('a file is read again when any of size, times, inode or mode differs', () => {
  const stat = lstatSync(import.meta.filename)
  const signature = (change: object) => foundFile('work/a', '/a', Object.assign(lstatSync(import.meta.filename), change)).signature
  expect(signature({})).toBe(signature({}))
  const changes = [{ size: stat.size + 1 }, { mtimeMs: stat.mtimeMs + 1 }, { ctimeMs: stat.ctimeMs + 1 }, { ino: stat.ino + 1 }, { mode: stat.mode ^ 0o111 }]
  for (const change of changes) expect(signature(change)).not.toBe(signature({}))
})
