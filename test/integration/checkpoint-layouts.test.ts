import { execFileSync, spawnSync } from 'node:child_process'
import {
  appendFileSync, chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, truncateSync, unlinkSync, utimesSync, writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createProject, createRepository, filesBelow, gitIn, OTHER_SESSION, openStore, SESSION, stateOf } from './checkpoint-fixture.ts'

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

test('a folder without git is kept the same way, and a git made in it is taken away again', async () => {
  rmSync(file('.git'), { recursive: true })
  write('node_modules/x', 'x')
  const started = filesBelow(root)
  const checkpoint = await start()
  expect(checkpoint).toMatchObject({ hasGit: false, root, leftOut: [{ path: 'node_modules' }] })
  createRepository(root)
  commit('agent')
  write('src/deep/code.ts', 'other')
  const killed = stateOf(root)
  await store.revert({ sessionId: SESSION, target: checkpoint.id })
  expect(filesBelow(root)).toEqual(started)
  expect(existsSync(file('.git'))).toBe(false)
  await store.undo({ sessionId: SESSION })
  expect(stateOf(root)).toEqual(killed)
})

test('nested repositories and submodules come back with their own history', async () => {
  const library = join(scratch.folder, 'library')
  createRepository(library)
  writeFileSync(join(library, 'lib.c'), 'lib')
  gitIn(library, 'add', '.')
  gitIn(library, 'commit', '-q', '-m', 'lib')
  gitIn(root, 'submodule', '--quiet', 'add', library, 'module')
  commit('module')
  gitIn(root, 'clone', '-q', library, 'nested')
  const states = () => [stateOf(root), stateOf(file('module')), stateOf(file('nested'))]
  const started = states()
  const checkpoint = await start()
  rmSync(file('nested'), { recursive: true })
  gitIn(file('module'), 'commit', '-q', '--allow-empty', '-m', 'inner')
  rmSync(file('.git/modules/module/refs/heads'), { recursive: true })
  await store.revert({ sessionId: SESSION, target: checkpoint.id })
  expect(states()).toEqual(started)
})

test('a session in a linked worktree has its git state elsewhere and gets it back', async () => {
  gitIn(root, 'worktree', 'add', '-q', '-b', 'linked', join(scratch.folder, 'linked'))
  const linked = join(scratch.folder, 'linked')
  const started = stateOf(linked)
  const checkpoint = await store.create({ sessionId: OTHER_SESSION, root: linked, reason: 'start' })
  expect(checkpoint).toMatchObject({ root: linked, hasGit: true })
  write('../linked/tracked.txt', 'agent')
  gitIn(linked, 'commit', '-qam', 'agent')
  gitIn(root, 'commit', '-q', '--allow-empty', '-m', 'the user, in the main worktree')
  const main = gitIn(root, 'rev-parse', 'main')
  await store.revert({ sessionId: OTHER_SESSION, target: checkpoint.id })
  expect(gitIn(root, 'rev-parse', 'main')).toBe(main)
  expect(filesBelow(linked)).toEqual(started.files)
  expect(gitIn(linked, 'status', '--porcelain=v2', '--branch')).toContain(`branch.oid ${gitIn(root, 'rev-parse', 'main~1').trim()}`)
})

test('a session inside a submodule moves the submodule alone', async () => {
  const library = join(scratch.folder, 'library')
  createRepository(library)
  gitIn(library, 'commit', '-q', '--allow-empty', '-m', 'lib')
  gitIn(root, 'submodule', '--quiet', 'add', library, 'module')
  commit('module')
  const started = stateOf(file('module'))
  const checkpoint = await store.create({ sessionId: SESSION, root: file('module'), reason: 'start' })
  expect(checkpoint).toMatchObject({ root: file('module'), hasGit: true })
  write('module/agent.txt', 'agent')
  gitIn(file('module'), 'add', '.')
  gitIn(file('module'), 'commit', '-q', '-m', 'agent')
  gitIn(file('module'), 'reflog', 'expire', '--expire=now', '--all')
  write('tracked.txt', 'the user, outside')
  commit('the user, outside')
  const outside = gitIn(root, 'rev-parse', 'HEAD')
  await store.revert({ sessionId: SESSION, target: checkpoint.id })
  expect(stateOf(file('module'))).toEqual(started)
  expect(gitIn(root, 'rev-parse', 'HEAD')).toBe(outside)
  expect(readFileSync(file('tracked.txt'), 'utf8')).toBe('the user, outside')
})

test('a session in the main worktree leaves the branch and the files of a linked one alone', async () => {
  const linked = join(scratch.folder, 'linked')
  gitIn(root, 'worktree', 'add', '-q', '-b', 'linked', linked)
  const checkpoint = await start()
  write('../linked/other.txt', 'other session')
  gitIn(linked, 'add', '.')
  gitIn(linked, 'commit', '-qm', 'other session')
  const other = stateOf(linked)
  write('tracked.txt', 'agent')
  commit('agent')
  gitIn(root, 'pack-refs', '--all')
  await store.revert({ sessionId: SESSION, target: checkpoint.id })
  expect(filesBelow(linked)).toEqual(other.files)
  expect(gitIn(linked, 'log', '-1', '--format=%s')).toBe('other session\n')
  expect(gitIn(linked, 'status', '--porcelain')).toBe('')
  expect(gitIn(root, 'log', '-1', '--format=%s')).toBe('first\n')
})

test('a racily clean file still shows as changed after a revert', async () => {
  const when = Math.floor(Date.now() / 1000) - 10
  write('racy.txt', 'one\n')
  utimesSync(file('racy.txt'), when, when)
  commit('racy')
  const inode = statSync(file('racy.txt')).ino
  write('racy.txt', 'two\n')
  utimesSync(file('racy.txt'), when, when)
  utimesSync(file('.git/index'), when, when)
  expect(statSync(file('racy.txt')).ino).toBe(inode)
  gitIn(root, 'config', 'core.trustctime', 'false')
  expect(gitIn(root, 'status', '--porcelain')).toBe(' M racy.txt\n')
  const checkpoint = await start()
  gitIn(root, 'commit', '-q', '--allow-empty', '-m', 'agent')
  write('agent.txt', 'agent')
  gitIn(root, 'add', '.')
  await store.revert({ sessionId: SESSION, target: checkpoint.id })
  expect(gitIn(root, 'status', '--porcelain')).toBe(' M racy.txt\n')
})

test('a change that keeps size and modification time is seen', async () => {
  const when = new Date('2020-01-01')
  write('quiet.txt', 'one')
  utimesSync(file('quiet.txt'), when, when)
  const checkpoint = await start()
  write('quiet.txt', 'two')
  utimesSync(file('quiet.txt'), when, when)
  await store.revert({ sessionId: SESSION, target: checkpoint.id })
  expect(readFileSync(file('quiet.txt'), 'utf8')).toBe('one')
})

test('an unchanged tree gives the same tree, and a checkpoint of it stores nothing more', async () => {
  await start()
  const size = () => Object.keys(filesBelow(join(scratch.folder, 'store'))).filter((path) => path.startsWith('projects/')).length
  const before = size()
  await store.create({ sessionId: SESSION, root, reason: 'on-demand' })
  expect(size()).toBe(before)
  expect((await store.list(SESSION)).map((checkpoint) => checkpoint.reason)).toEqual(['start', 'on-demand'])
})

test('a socket and a pipe in the tree are named, and neither read nor removed', async () => {
  execFileSync('mkfifo', [file('pipe')])
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(file('socket'), resolve))
  try {
    const checkpoint = await start()
    expect(checkpoint.leftOut.map((item) => item.path).sort()).toEqual(['pipe', 'socket'])
    write('tracked.txt', 'x')
    await store.revert({ sessionId: SESSION, target: checkpoint.id })
    expect(existsSync(file('pipe')) && existsSync(file('socket'))).toBe(true)
  } finally {
    server.close()
  }
})

test('a file of 2 GiB is left out by name, and no revert reads or removes it', async () => {
  write('disk.img', '')
  truncateSync(file('disk.img'), 2 * 1024 ** 3)
  const checkpoint = await start()
  expect(checkpoint.leftOut).toEqual([{ path: 'disk.img', reason: 'too large (2048.0 MiB)' }])
  write('tracked.txt', 'agent')
  truncateSync(file('disk.img'), 3 * 1024 ** 3)
  await store.revert({ sessionId: SESSION, target: checkpoint.id })
  expect(statSync(file('disk.img')).size).toBe(3 * 1024 ** 3)
})

test('an object of the repository that is empty, or holds other bytes than its name says, is not relied upon', async () => {
  const objectOf = (path: string): string => {
    const oid = gitIn(root, 'rev-parse', `HEAD:${path}`).trim()
    return file(`.git/objects/${oid.slice(0, 2)}/${oid.slice(2)}`)
  }
  const broken = ['tracked.txt', 'src/deep/code.ts'] as const
  for (const path of broken) chmodSync(objectOf(path), 0o644)
  truncateSync(objectOf(broken[0]), 0)
  copyFileSync(objectOf('.gitignore'), objectOf(broken[1]))
  const checkpoint = await start()
  for (const path of broken) unlinkSync(file(path))
  await store.revert({ sessionId: SESSION, target: checkpoint.id })
  expect(broken.map((path) => readFileSync(file(path), 'utf8'))).toEqual(['tracked\n', 'code\n'])
})

test('contents the store has lost are named before anything is touched', async () => {
  write('only-here.txt', 'only here')
  const checkpoint = await start()
  const [project = ''] = readdirSync(join(scratch.folder, 'store/projects'))
  const oid = gitIn(root, 'hash-object', 'only-here.txt').trim()
  unlinkSync(join(scratch.folder, 'store/projects', project, 'repository.git/objects', oid.slice(0, 2), oid.slice(2)))
  write('only-here.txt', 'agent')
  write('tracked.txt', 'agent')
  await expect(store.revert({ sessionId: SESSION, target: checkpoint.id })).rejects.toMatchObject({
    code: 'checkpoint-failed',
    message: expect.stringContaining('only-here.txt') as string,
  })
  expect(readFileSync(file('tracked.txt'), 'utf8')).toBe('agent')
})

test('bad roots and unknown checkpoints are refused by name', async () => {
  await expect(store.create({ sessionId: SESSION, root: join(root, 'none'), reason: 'start' })).rejects.toMatchObject({ code: 'not-a-directory' })
  await expect(store.create({ sessionId: SESSION, root: file('tracked.txt'), reason: 'start' })).rejects.toMatchObject({ code: 'not-a-directory' })
  const checkpoint = await start()
  await expect(store.revert({ sessionId: OTHER_SESSION, target: checkpoint.id })).rejects.toMatchObject({ code: 'not-found' })
  await expect(store.undo({ sessionId: OTHER_SESSION })).rejects.toMatchObject({ code: 'nothing-to-undo' })
})

test('where there is no git it says to install git', () => {
  const child = fileURLToPath(new URL('../fixtures/checkpoint-child.ts', import.meta.url))
  const order = [child, join(scratch.folder, 'store'), root, SESSION, 'create']
  const { status, stderr } = spawnSync('bwrap', ['--dev-bind', '/', '/', '--tmpfs', '/usr/bin', process.execPath, ...order], { encoding: 'utf8', env: { PATH: '/usr/bin:/bin' } })
  expect(status).toBe(1)
  expect(stderr).toContain('there is none on the PATH. Install git 2.25 or newer')
})

test('the store is private, and a root above it does not swallow it', async () => {
  store = openStore(file('inner-store'))
  const checkpoint = await start()
  expect(checkpoint.leftOut).toEqual([{ path: 'inner-store', reason: 'Holdfast keeps its checkpoints here' }])
  expect(statSync(file('inner-store')).mode & 0o777).toBe(0o700)
})

const canMount = spawnSync('unshare', ['--mount', 'true']).status === 0

test.skipIf(!canMount || process.getuid?.() !== 0)('a full disk is called one, and leaves no checkpoint (needs root and mount)', async () => {
  const full = join(scratch.folder, 'full')
  mkdirSync(full)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=300k', 'tmpfs', full])
  try {
    store = openStore(full)
    await start()
    write('noise.bin', execFileSync('head', ['-c', '600000', '/dev/urandom']))
    await expect(store.create({ sessionId: SESSION, root, reason: 'on-demand' })).rejects.toMatchObject({ code: 'disk-full' })
    expect(await store.list(SESSION)).toHaveLength(1)
  } finally {
    execFileSync('umount', [full])
  }
})

test.skipIf(process.getuid?.() !== 0)('a file without permission is named (needs root, to become another user)', async () => {
  write('locked.txt', 'locked')
  chmodSync(file('locked.txt'), 0o000)
  chmodSync(scratch.folder, 0o777)
  const as = join(scratch.folder, 'node')
  copyFileSync(process.execPath, as)
  const code = `
    import { openStore, SESSION } from ${JSON.stringify(new URL('checkpoint-fixture.ts', import.meta.url).href)}
    const error = await openStore(${JSON.stringify(join(scratch.folder, 'theirs'))}).create({ sessionId: SESSION, root: ${JSON.stringify(root)}, reason: 'start' }).catch((e) => e)
    console.log(JSON.stringify({ code: error.code, message: error.message }))`
  const other = spawnSync(as, ['--input-type=module', '-e', code], { uid: 65_534, gid: 65_534, encoding: 'utf8', cwd: '/', env: { PATH: process.env['PATH'] ?? '' } })
  expect(JSON.parse(other.stdout === '' ? JSON.stringify(other.stderr) : other.stdout)).toMatchObject({
    code: 'checkpoint-failed',
    message: expect.stringContaining('locked.txt') as string,
  })
})

test('sparse checkout, and an index git has split, come back', async () => {
  gitIn(root, 'sparse-checkout', 'set', '--no-cone', 'src')
  gitIn(root, 'update-index', '--split-index')
  const started = stateOf(root)
  const checkpoint = await start()
  gitIn(root, 'sparse-checkout', 'disable')
  appendFileSync(file('tracked.txt'), 'more')
  renameSync(file('src'), file('SRC'))
  commit('agent')
  await store.revert({ sessionId: SESSION, target: checkpoint.id })
  expect(stateOf(root)).toEqual(started)
})
