import { existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createProject, createRepository, filesBelow, gitIn, openStore, OTHER_SESSION, SESSION, stateOf } from './checkpoint-fixture.ts'

type Project = ReturnType<typeof createProject>
let scratch: Project['scratch']
let root: Project['root']
let store: Project['store']
let file: Project['file']
let write: Project['write']
let commit: Project['commit']
beforeEach(() => void ({ scratch, root, store, file, write, commit } = createProject()))
afterEach(() => scratch.remove())

const start = () => store.create({ sessionId: SESSION, root, reason: 'start' })
const mark = (state: 'active' | 'quiet' | 'over', sessionId = SESSION) => store.mark({ sessionId, state })
const text = (path: string) => readFileSync(file(path), 'utf8')

test('a file the session changed is restored, one only the user changed is left alone, one of both is kept with the start beside it', async () => {
  for (const name of ['agent', 'user', 'both']) write(`${name}.txt`, 'start\n')
  write('agent-made.txt', 'x')
  rmSync(file('agent-made.txt'))
  const checkpoint = await start()
  write('agent.txt', 'agent\n')
  write('both.txt', 'agent\n')
  write('agent-made.txt', 'agent\n')
  await mark('quiet')
  write('user.txt', 'user\n')
  write('both.txt', 'user\n')
  write('user-made.txt', 'user\n')
  rmSync(file('tracked.txt'))
  mkdirSync(file('user-empty'))
  await mark('active')
  write('agent.txt', 'agent again\n')
  const diff = await store.diff({ sessionId: SESSION, from: checkpoint.id, to: null })
  expect(diff.changes).toEqual([
    { path: 'agent-made.txt', change: 'added', by: 'session' },
    { path: 'agent.txt', change: 'modified', by: 'session' },
    { path: 'both.txt', change: 'modified', by: 'both' },
    { path: 'tracked.txt', change: 'deleted', by: 'other' },
    { path: 'user-made.txt', change: 'added', by: 'other' },
    { path: 'user.txt', change: 'modified', by: 'other' },
  ])
  expect(diff.counts).toEqual({ added: 2, modified: 3, deleted: 1, leftAlone: 3, conflicts: 1 })
  const killed = filesBelow(root)

  const report = await store.revert({ sessionId: SESSION, target: checkpoint.id })
  expect(report).toMatchObject({ written: ['agent.txt'], deleted: ['agent-made.txt'], leftAlone: ['tracked.txt', 'user-made.txt', 'user.txt'] })
  expect(report.conflicts.map(({ path }) => path)).toEqual(['both.txt'])
  expect(text('agent.txt')).toBe('start\n')
  expect([text('user.txt'), text('both.txt'), text('user-made.txt')]).toEqual(['user\n', 'user\n', 'user\n'])
  expect(existsSync(file('user-empty')) && !existsSync(file('tracked.txt')) && !existsSync(file('agent-made.txt'))).toBe(true)
  const recovered = report.conflicts[0]?.recoveredAs ?? ''
  expect(text(recovered)).toBe('start\n')

  write('user.txt', 'user later\n')
  expect((await store.undo({ sessionId: SESSION })).conflicts).toEqual([])
  expect(text('user.txt')).toBe('user later\n')
  write('user.txt', 'user\n')
  rmSync(file(recovered))
  expect(filesBelow(root)).toEqual(killed)
})

test('what the session deletes or makes in the background of a quiet time is shown as not its own, and chosen by name it is restored', async () => {
  const checkpoint = await start()
  await mark('quiet')
  write('tracked.txt', 'unseen\n')
  write('src/deep/code.ts', 'unseen\n')
  const report = await store.revert({ sessionId: SESSION, target: checkpoint.id })
  expect(report).toMatchObject({ written: [], leftAlone: ['src/deep/code.ts', 'tracked.txt'] })
  expect(await store.revert({ sessionId: SESSION, target: checkpoint.id, paths: ['src'] })).toMatchObject({ written: ['src/deep/code.ts'], leftAlone: [] })
  expect([text('src/deep/code.ts'), text('tracked.txt')]).toEqual(['code\n', 'unseen\n'])
  write('tracked.txt', 'unseen, and more\n')
  await store.undo({ sessionId: SESSION })
  expect([text('src/deep/code.ts'), text('tracked.txt')]).toEqual(['unseen\n', 'unseen, and more\n'])
})

test('a commit and a git status of the user in a quiet time do not stand in the way of restoring the files', async () => {
  const checkpoint = await start()
  write('agent.txt', 'agent\n')
  gitIn(root, 'add', 'agent.txt')
  await mark('quiet')
  gitIn(root, 'update-index', '--refresh')
  await mark('active')
  const report = await store.revert({ sessionId: SESSION, target: checkpoint.id })
  expect(report.conflicts).toEqual([])
  expect(gitIn(root, 'status', '--porcelain')).toBe('')

  await mark('quiet')
  write('users.txt', 'user\n')
  commit('by the user')
  const users = gitIn(root, 'rev-parse', 'HEAD')
  await mark('active')
  write('tracked.txt', 'agent\n')
  await store.revert({ sessionId: SESSION, target: checkpoint.id })
  expect([gitIn(root, 'rev-parse', 'HEAD'), text('users.txt'), text('tracked.txt')]).toEqual([users, 'user\n', 'tracked\n'])
})

test('two sessions in one folder: each takes back its own, whatever the other did before, meanwhile and after', async () => {
  write('both.txt', 'start\n')
  const mine = await start()
  write('mine.txt', '1\n')
  await mark('quiet')
  const theirs = await store.create({ sessionId: OTHER_SESSION, root, reason: 'start' })
  write('theirs.txt', '2\n')
  write('both.txt', '2\n')
  write('tracked.txt', '2\n')
  await mark('quiet', OTHER_SESSION)
  await mark('active')
  write('mine.txt', '3\n')
  write('both.txt', '3\n')
  const report = await store.revert({ sessionId: SESSION, target: mine.id })
  await mark('over')
  expect(report).toMatchObject({ deleted: ['mine.txt'], leftAlone: ['theirs.txt', 'tracked.txt'] })
  expect([text('theirs.txt'), text('tracked.txt'), text('both.txt')]).toEqual(['2\n', '2\n', '3\n'])
  await store.revert({ sessionId: OTHER_SESSION, target: theirs.id })
  expect(existsSync(file('theirs.txt'))).toBe(false)
  expect([text('tracked.txt'), text('both.txt')]).toEqual(['tracked\n', '3\n'])
  expect(existsSync(file('mine.txt'))).toBe(false)
})

test('two sessions in two worktrees of one repository, at work at once: each revert leaves files, branch and index of the other', async () => {
  const linked = join(scratch.folder, 'linked')
  gitIn(root, 'worktree', 'add', '-q', '-b', 'linked', linked)
  const startedLinked = filesBelow(linked)
  const main = await start()
  const other = await store.create({ sessionId: OTHER_SESSION, root: linked, reason: 'start' })
  write('agent.txt', 'main agent')
  commit('main agent')
  write('../linked/other.txt', 'other agent')
  gitIn(linked, 'add', '.')
  gitIn(linked, 'commit', '-qm', 'other agent')
  const [atWork, atWorkLinked] = [filesBelow(root), filesBelow(linked)]
  expect((await store.revert({ sessionId: SESSION, target: main.id })).conflicts).toEqual([])
  expect(filesBelow(linked)).toEqual(atWorkLinked)
  expect(gitIn(linked, 'status', '--porcelain')).toBe('')
  expect(gitIn(root, 'log', '-1', '--format=%s')).toBe('first\n')
  await store.undo({ sessionId: SESSION })
  expect(filesBelow(root)).toEqual(atWork)
  expect((await store.revert({ sessionId: OTHER_SESSION, target: other.id })).conflicts).toEqual([])
  expect(filesBelow(linked)).toEqual(startedLinked)
  expect(gitIn(root, 'log', '-1', '--format=%s')).toBe('main agent\n')
  expect(gitIn(root, 'status', '--porcelain')).toBe('')
})

test('a session inside a submodule and one around it do not take back each other\'s files', async () => {
  const library = join(scratch.folder, 'library')
  createRepository(library)
  writeFileSync(join(library, 'lib.c'), 'lib\n')
  gitIn(library, 'add', '.')
  gitIn(library, 'commit', '-q', '-m', 'lib')
  gitIn(root, 'submodule', '--quiet', 'add', library, 'module')
  commit('module')
  const around = await start()
  await mark('quiet')
  const inside = await store.create({ sessionId: OTHER_SESSION, root: file('module'), reason: 'start' })
  write('module/lib.c', 'inner agent\n')
  gitIn(file('module'), 'commit', '-qam', 'inner agent')
  const inner = stateOf(file('module'))
  await mark('quiet', OTHER_SESSION)
  await mark('active')
  write('tracked.txt', 'outer agent\n')
  await store.revert({ sessionId: SESSION, target: around.id })
  expect(text('tracked.txt')).toBe('tracked\n')
  expect(stateOf(file('module'))).toEqual(inner)
  write('tracked.txt', 'outer agent\n')
  await store.revert({ sessionId: OTHER_SESSION, target: inside.id })
  expect([text('module/lib.c'), text('tracked.txt')]).toEqual(['lib\n', 'outer agent\n'])
})

test('when the host died with a session at work, what changed by then and later is never overwritten unasked', async () => {
  const checkpoint = await start()
  write('tracked.txt', 'agent, or the user after the crash\n')
  store = openStore(join(scratch.folder, 'store'))
  await store.prune({ limits: { maxAgeMs: Infinity, maxBytes: Infinity }, isLive: () => false })
  const report = await store.revert({ sessionId: SESSION, target: checkpoint.id })
  expect(report.conflicts.map(({ path }) => path)).toEqual(['tracked.txt'])
  expect(text(report.conflicts[0]?.recoveredAs ?? '')).toBe('tracked\n')
})

test('further folders of a session are kept and restored with it, and named by where they lie', async () => {
  const extra = join(scratch.folder, 'extra')
  createRepository(extra)
  writeFileSync(join(extra, 'notes.md'), 'notes\n')
  const started = filesBelow(extra)
  const checkpoint = await store.create({ sessionId: SESSION, root, extraRoots: [extra, file('src')], reason: 'start' })
  expect(checkpoint.extraRoots).toEqual([extra])
  rmSync(extra, { recursive: true })
  write('tracked.txt', 'agent\n')
  expect((await store.diff({ sessionId: SESSION, from: checkpoint.id, to: null })).changes).toEqual([
    { path: join(extra, 'notes.md'), change: 'deleted', by: 'session' },
    { path: 'tracked.txt', change: 'modified', by: 'session' },
  ])
  expect((await store.revert({ sessionId: SESSION, target: checkpoint.id, paths: [extra] })).written).toEqual([join(extra, 'notes.md')])
  await store.revert({ sessionId: SESSION, target: checkpoint.id })
  expect(filesBelow(extra)).toEqual(started)
  expect(text('tracked.txt')).toBe('tracked\n')
})

test('a path outside the folders of a checkpoint cannot be chosen', async () => {
  const checkpoint = await start()
  for (const path of ['../elsewhere', '/etc/passwd']) {
    await expect(store.revert({ sessionId: SESSION, target: checkpoint.id, paths: [path] })).rejects.toMatchObject({ code: 'not-found' })
  }
  write('.git/hooks/pre-commit', 'x')
  await store.revert({ sessionId: SESSION, target: checkpoint.id, paths: ['.'] })
  expect(existsSync(file('.git/hooks/pre-commit'))).toBe(true)
  expect(statSync(root).isDirectory()).toBe(true)
})

test('what a restore or an undo sets while the session goes on is nobody\'s change: the next revert takes the session\'s back and leaves the user\'s', async () => {
  for (const name of ['agent', 'user']) write(`${name}.txt`, 'start\n')
  const checkpoint = await start()
  write('agent.txt', 'agent\n')
  write('agent-made/file.txt', 'agent\n')
  await mark('quiet')
  write('user.txt', 'user\n')
  await store.revert({ sessionId: SESSION, target: checkpoint.id, paths: ['agent.txt', 'agent-made', 'user.txt'], goesOn: true })
  expect([text('agent.txt'), text('user.txt'), existsSync(file('agent-made'))]).toEqual(['start\n', 'start\n', false])
  await store.undo({ sessionId: SESSION, goesOn: true })
  expect([text('agent.txt'), text('user.txt'), text('agent-made/file.txt')]).toEqual(['agent\n', 'user\n', 'agent\n'])
  await mark('active')
  const report = await store.revert({ sessionId: SESSION, target: checkpoint.id })
  expect(report).toMatchObject({ written: ['agent.txt'], deleted: ['agent-made/file.txt'], leftAlone: ['user.txt'], conflicts: [] })
  expect([text('agent.txt'), text('user.txt'), existsSync(file('agent-made'))]).toEqual(['start\n', 'user\n', false])
})

test('a call that names its one file leaves what changed besides it to whoever did that, the folders it made are its own', async () => {
  const checkpoint = await start()
  await mark('quiet')
  mkdirSync(file('linked'))
  symlinkSync('linked', file('link'))
  await store.mark({ sessionId: SESSION, state: 'active', reach: [file('made/new.txt'), file('link/agent.txt')] })
  write('made/new.txt', 'agent\n')
  write('linked/agent.txt', 'agent\n')
  write('tracked.txt', 'user\n')
  await mark('quiet')
  expect(await store.revert({ sessionId: SESSION, target: checkpoint.id })).toMatchObject({ deleted: ['linked/agent.txt', 'made/new.txt'], leftAlone: ['link', 'tracked.txt'], conflicts: [] })
  expect([text('tracked.txt'), existsSync(file('made'))]).toEqual(['user\n', false])
})

test('a call that may change anything, beside one that names its file, widens what is the session\'s', async () => {
  const checkpoint = await start()
  await mark('quiet')
  await store.mark({ sessionId: SESSION, state: 'active', reach: [file('a.txt')] })
  write('a.txt', 'agent\n')
  await store.mark({ sessionId: SESSION, state: 'active', reach: null })
  write('tracked.txt', 'agent\n')
  expect(await store.revert({ sessionId: SESSION, target: checkpoint.id })).toMatchObject({ deleted: ['a.txt'], written: ['tracked.txt'], leftAlone: [] })
})

test('the reach of a call before which a checkpoint is kept holds from there on', async () => {
  await start()
  await mark('quiet')
  const checkpoint = await store.create({ sessionId: SESSION, root, reason: 'before-destructive', reach: [file('a.txt')] })
  write('a.txt', 'agent\n')
  write('tracked.txt', 'user\n')
  expect(await store.revert({ sessionId: SESSION, target: checkpoint.id })).toMatchObject({ deleted: ['a.txt'], leftAlone: ['tracked.txt'] })
})

test('what changed last while nothing of the session ran is kept, with the start beside it, and undone as it was', async () => {
  const at: number[] = []
  const watching = openStore(join(scratch.folder, 'watching'), undefined, (_session, changedAt) => at.includes(changedAt))
  const checkpoint = await watching.create({ sessionId: SESSION, root, reason: 'start' })
  write('src/deep/code.ts', 'agent\n')
  do write('tracked.txt', 'user\n')
  while (statSync(file('tracked.txt')).ctimeMs === statSync(file('src/deep/code.ts')).ctimeMs)
  at.push(statSync(file('tracked.txt')).ctimeMs)
  const report = await watching.revert({ sessionId: SESSION, target: checkpoint.id })
  expect(report).toMatchObject({ written: ['src/deep/code.ts'], leftAlone: [], conflicts: [{ path: 'tracked.txt' }] })
  expect([text('tracked.txt'), text(report.conflicts[0]?.recoveredAs ?? '')]).toEqual(['user\n', 'tracked\n'])
})
