import {
  appendFileSync, chmodSync, copyFileSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, unlinkSync, utimesSync, writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createProject, filesBelow, gitIn, openStore, SESSION, stateOf } from './checkpoint-fixture.ts'

/** A file may be trusted by its times once they are this old; only a real wait makes them so. */
const SETTLE_MS = 2_100
const FILES = 700
const limits = { file: 100_000, ignoredFile: 1_000 }

let { scratch, root, file, write, commit }: ReturnType<typeof createProject> = {} as never
let store: ReturnType<typeof openStore>
let folder: string
const look = () => store.create({ sessionId: SESSION, root, reason: 'on-demand' })
const watchIndex = (): string[] => readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => /watch-.\.index$/.test(name))

beforeAll(async () => {
  ;({ scratch, root, file, write, commit } = createProject())
  folder = join(scratch.folder, 'store')
  store = openStore(folder, limits)
  for (let index = 0; index < FILES; index += 1) write(`d${index % 7}/e${index % 3}/${index}.txt`, `file ${index}\n`)
  for (const name of ['new\nline', 'ünï', ' space ', '"q"', 'back\\slash', 'n'.repeat(255)]) write(`odd/${name}/${name}`, name)
  symlinkSync('666.txt', file('odd/link'))
  write('secret', 's')
  chmodSync(file('secret'), 0o600)
  commit('many')
  write('nested/repo/file.txt', 'nested\n')
  gitIn(file('nested/repo'), 'init', '-q')
  write('odd/.GIT/x', 'x')
  await after(SETTLE_MS)
  await look()
  await look()
})
afterAll(() => scratch.remove())

test('a tree with many files is watched by an index, and what is changed in any way is seen', async () => {
  expect(watchIndex()).toHaveLength(1)
  const started = stateOf(root)
  const checkpoint = await look()
  const steps: [string, () => void][] = [
    ['the same size, and the time set back', () => {
      const { atime, mtime } = lstatSync(file('d0/e0/0.txt'))
      writeFileSync(file('d0/e0/0.txt'), 'FILE 0\n')
      utimesSync(file('d0/e0/0.txt'), atime, mtime)
    }],
    ['permissions alone', () => chmodSync(file('d1/e1/1.txt'), 0o640)],
    ['permissions of a private file', () => chmodSync(file('secret'), 0o644)],
    ['the executable bit', () => chmodSync(file('d2/e2/2.txt'), 0o755)],
    ['a file made a link', () => (unlinkSync(file('d3/e0/3.txt')), symlinkSync('../e1', file('d3/e0/3.txt')))],
    ['a link moved', () => (unlinkSync(file('odd/link')), symlinkSync('elsewhere', file('odd/link')))],
    ['a file gone', () => unlinkSync(file('d4/e1/4.txt'))],
    ['another put in its place', () => (copyFileSync(file('d5/e2/5.txt'), file('copy')), appendFileSync(file('copy'), '!'), renameSync(file('copy'), file('d5/e2/5.txt')))],
    ['a folder renamed', () => renameSync(file('d6'), file('d7'))],
    ['a folder made a link to one outside', () => {
      mkdirSync(join(scratch.folder, 'outside'))
      renameSync(file('d0'), join(scratch.folder, 'outside/d0'))
      symlinkSync(join(scratch.folder, 'outside/d0'), file('d0'))
    }],
    ['new files, in old and new folders', () => (write('d1/e1/new.txt', 'n'), write('fresh/deep/er/new.txt', 'n'), mkdirSync(file('d1/e1/empty')))],
    ['odd names', () => (write('odd/new\nline/new\nline', 'changed'), write('odd/ünï/ünï', 'changed'), write('odd/.GIT/x', 'y'))],
    ['a file in a nested repository', () => write('nested/repo/file.txt', 'changed\n')],
    ['grown past the size from which git is asked', () => write('d2/e2/23.txt', 'x'.repeat(5_000))],
  ]
  for (const [what, change] of steps) {
    change()
    const killed = filesBelow(root)
    await store.revert({ sessionId: SESSION, target: checkpoint.id })
    expect(stateOf(root), what).toEqual(started)
    await store.undo({ sessionId: SESSION })
    expect(filesBelow(root), what).toEqual(killed)
    await store.revert({ sessionId: SESSION, target: checkpoint.id })
    rmSync(join(scratch.folder, 'outside'), { recursive: true, force: true })
  }
  store = openStore(folder, limits)
  write('d1/e1/8.txt', 'after a restart\n')
  await store.revert({ sessionId: SESSION, target: checkpoint.id })
  expect(stateOf(root)).toEqual(started)
})

test('nothing in the tree that git could read by itself is run or waited for while it watches', async () => {
  const hit = join(scratch.folder, 'hit')
  const command = `touch ${hit}`
  write('.gitattributes', '* filter=evil diff=evil text=auto eol=crlf working-tree-encoding=UTF-16 ident\n')
  for (const [name, value] of [
    ['filter.evil.clean', command], ['filter.evil.smudge', command], ['filter.evil.process', command], ['core.fsmonitor', command], ['core.hooksPath', root],
    ['diff.evil.textconv', command], ['diff.evil.command', command], ['core.pager', command], ['core.editor', command], ['gpg.program', command], ['core.sshCommand', command],
    ['core.attributesFile', file('.gitattributes')], ['include.path', file('more')], ['includeIf.gitdir:/.path', file('more')], ['core.worktree', '/'], ['uploadpack.packObjectsHook', command],
  ] as const) {
    gitIn(root, 'config', name, value)
    gitIn(file('nested/repo'), 'config', name, value)
  }
  write('more', `[core]\n\tfsmonitor = ${command}\n`)
  for (const hook of ['post-checkout', 'post-index-change', 'fsmonitor-watchman', 'reference-transaction', 'pre-auto-gc', 'post-rewrite']) {
    for (const where of ['.git/hooks', 'nested/repo/.git/hooks', '.']) {
      write(`${where}/${hook}`, `#!/bin/sh\n${command}\n`)
      chmodSync(file(`${where}/${hook}`), 0o755)
    }
  }
  const started = filesBelow(root)
  const checkpoint = await look()
  write('d1/e1/1.txt', 'changed\n')
  await store.diff({ sessionId: SESSION, from: checkpoint.id, to: null })
  await store.revert({ sessionId: SESSION, target: checkpoint.id })
  await store.undo({ sessionId: SESSION })
  await store.revert({ sessionId: SESSION, target: checkpoint.id })
  await store.prune({ limits: { maxAgeMs: Infinity, maxBytes: 0 }, isLive: (id) => id === SESSION })
  expect(existsSync(hit)).toBe(false)
  expect(filesBelow(root)).toEqual(started)
  expect(readFileSync(file('d1/e1/1.txt'), 'utf8')).toBe('file 1\n')
})
