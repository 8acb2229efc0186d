import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createProject, gitIn, SESSION, stateOf } from './checkpoint-fixture.ts'

/** What git makes of files on their way in and out: none of it may change a byte of what is kept. */
let { scratch, root, store, file, write, commit }: ReturnType<typeof createProject> = {} as never
beforeEach(() => void ({ scratch, root, store, file, write, commit } = createProject()))
afterEach(() => scratch.remove())

const start = () => store.create({ sessionId: SESSION, root, reason: 'start' })
const POINTER = `version https://git-lfs.github.com/spec/v1\noid sha256:${'4d'.repeat(32)}\nsize 12345\n`

test('LFS pointers stay pointers, files that were fetched stay whole, and the fetched objects come back, without git-lfs being run', async () => {
  const called = join(scratch.folder, 'called')
  const hash = 'ab'.repeat(32)
  const object = `.git/lfs/objects/ab/ab/${hash}`
  write('.gitattributes', '*.bin filter=lfs diff=lfs merge=lfs -text\n')
  write('pointer.bin', POINTER)
  commit('with LFS')
  for (const name of ['clean', 'smudge', 'process']) gitIn(root, 'config', `filter.lfs.${name}`, `touch ${called} && cat`)
  gitIn(root, 'config', 'filter.lfs.required', 'true')
  write('fetched.bin', Buffer.alloc(300_000, 7))
  write(object, 'fetched by LFS')
  const checkpoint = await start()
  write('pointer.bin', Buffer.alloc(12_345, 1))
  unlinkSync(file('fetched.bin'))
  rmSync(file('.git/lfs'), { recursive: true })
  await store.revert({ sessionId: SESSION, target: checkpoint.id })
  expect(readFileSync(file('pointer.bin'), 'utf8')).toBe(POINTER)
  expect(readFileSync(file('fetched.bin')).equals(Buffer.alloc(300_000, 7))).toBe(true)
  expect(readFileSync(file(object), 'utf8')).toBe('fetched by LFS')
  expect(spawnSync('ls', [called]).status).not.toBe(0)
})

test('with core.autocrlf and eol attributes the bytes in the folder come back as they were, and git sees no change', async () => {
  gitIn(root, 'config', 'core.autocrlf', 'true')
  write('.gitattributes', '*.unix text eol=lf\n*.dos text eol=crlf\n')
  for (const name of ['a.txt', 'a.unix', 'a.dos']) write(name, 'one\ntwo\n')
  commit('line ends')
  for (const name of ['a.txt', 'a.unix', 'a.dos']) unlinkSync(file(name))
  gitIn(root, 'checkout', '-q', '--', '.')
  expect(readFileSync(file('a.txt'), 'utf8')).toBe('one\r\ntwo\r\n')
  write('mixed.txt', 'one\r\ntwo\n')
  const started = stateOf(root)
  const checkpoint = await start()
  for (const name of ['a.txt', 'a.unix', 'a.dos', 'mixed.txt']) write(name, 'agent\n')
  commit('agent')
  await store.revert({ sessionId: SESSION, target: checkpoint.id })
  expect(stateOf(root)).toEqual(started)
  expect(readFileSync(file('a.dos'), 'utf8')).toBe('one\r\ntwo\r\n')
})

test('a tree whose .git is a file beside a bare repository comes back, index and refs included', async () => {
  const bare = join(scratch.folder, 'project.git')
  gitIn(root, 'clone', '-q', '--bare', root, bare)
  rmSync(file('.git'), { recursive: true })
  gitIn(bare, 'config', 'core.bare', 'false')
  gitIn(bare, 'config', 'core.worktree', root)
  write('.git', `gitdir: ${bare}\n`)
  gitIn(root, 'reset', '-q')
  write('staged.txt', 'staged\n')
  gitIn(root, 'add', 'staged.txt')
  const started = stateOf(root)
  const refs = gitIn(root, 'for-each-ref')
  const checkpoint = await start()
  expect(checkpoint.hasGit).toBe(true)
  gitIn(root, 'commit', '-q', '-m', 'agent')
  gitIn(root, 'branch', 'agents')
  await store.revert({ sessionId: SESSION, target: checkpoint.id })
  expect([stateOf(root), gitIn(root, 'for-each-ref')]).toEqual([started, refs])
})

test('with a sparse checkout, what is not checked out stays away, and what the agent checked out goes again', async () => {
  write('other/far.txt', 'far\n')
  commit('far')
  gitIn(root, 'sparse-checkout', 'set', '--cone', 'src')
  const started = stateOf(root)
  const checkpoint = await start()
  gitIn(root, 'sparse-checkout', 'add', 'other')
  write('other/far.txt', 'agent\n')
  await store.revert({ sessionId: SESSION, target: checkpoint.id })
  expect(stateOf(root)).toEqual(started)
})
