import { execFileSync, spawnSync } from 'node:child_process'
import {
  appendFileSync, chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, symlinkSync,
  truncateSync, unlinkSync, utimesSync, writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createRepository, createScratch, filesBelow, gitIn, OTHER_SESSION, openStore, SESSION, stateOf } from './checkpoint-fixture.ts'

let scratch: ReturnType<typeof createScratch>
let root: string
let store: ReturnType<typeof openStore>

const file = (path: string): string => join(root, path)
const write = (path: string, text: string | Buffer): void => {
  mkdirSync(join(file(path), '..'), { recursive: true })
  writeFileSync(file(path), text)
}
const start = () => store.create({ sessionId: SESSION, root, reason: 'start' })
const commit = (message: string): void => {
  gitIn(root, 'add', '-A')
  gitIn(root, 'commit', '-q', '-m', message)
}

beforeEach(() => {
  scratch = createScratch()
  root = join(scratch.folder, 'project')
  store = openStore(join(scratch.folder, 'store'))
  createRepository(root)
  write('tracked.txt', 'tracked\n')
  write('src/deep/code.ts', 'code\n')
  write('.gitignore', 'node_modules\nbuild\n.env\n*.log\n')
  commit('first')
})
afterEach(() => scratch.remove())

test('revert brings back every file, the index bytes, refs and stash; undo brings back the killed state', async () => {
  write('tracked.txt', 'stashed\n')
  gitIn(root, 'stash', '-q')
  write('staged.txt', 'staged\n')
  gitIn(root, 'add', 'staged.txt')
  write('untracked.txt', 'untracked\n')
  write('.env', 'TOKEN=1\n')
  const started = stateOf(root)
  const checkpoint = await start()

  rmSync(file('src'), { recursive: true })
  write('src', 'a file now\n')
  unlinkSync(file('.env'))
  write('untracked.txt', 'changed\n')
  gitIn(root, 'checkout', '-q', '-b', 'agent')
  commit('by the agent')
  gitIn(root, 'stash', 'drop', '-q')
  gitIn(root, 'branch', '-D', '-q', 'main')
  write('later.txt', 'later\n')
  const killed = stateOf(root)

  const report = await store.revert({ sessionId: SESSION, target: checkpoint.id })
  expect(stateOf(root)).toEqual(started)
  expect(report.written).toEqual(['.env', 'src/deep/code.ts', 'untracked.txt'])
  expect(report.deleted).toEqual(['src', 'later.txt'])
  expect(report.conflicts).toEqual([])
  expect(report.refsMoved).toEqual(['HEAD', 'refs/heads/agent', 'refs/heads/main', 'refs/stash'])

  await store.undo({ sessionId: SESSION })
  expect(stateOf(root)).toEqual(killed)
  await expect(store.undo({ sessionId: SESSION })).rejects.toMatchObject({ code: 'nothing-to-undo' })
})

test('taking a checkpoint writes nothing into the tree or its .git', async () => {
  const times = () => execFileSync('find', [root, '-printf', '%p %T@ %C@ %s %m\n'], { encoding: 'utf8' }).split('\n').sort()
  // A new hard link changes the link count of an object, and with it its ctime: nothing else may move.
  const withoutLinks = (lines: string[]) => lines.filter((line) => !/\.git\/objects\/.*\/./.test(line))
  const before = times()
  await start()
  await store.create({ sessionId: SESSION, root, reason: 'on-demand' })
  expect(withoutLinks(times())).toEqual(withoutLinks(before))
  expect(times().map((line) => line.split(' ')[1])).toEqual(before.map((line) => line.split(' ')[1]))
})

test('survives gc --prune=now, rewritten history and expired reflogs', async () => {
  write('tracked.txt', 'second\n')
  commit('second')
  const started = stateOf(root)
  const checkpoint = await start()
  gitIn(root, 'reset', '-q', '--hard', 'HEAD~1')
  gitIn(root, 'commit', '-q', '--amend', '-m', 'rewritten')
  gitIn(root, 'reflog', 'expire', '--expire=now', '--all')
  gitIn(root, 'gc', '-q', '--prune=now')
  await store.revert({ sessionId: SESSION, target: checkpoint.id })
  expect(stateOf(root)).toEqual(started)
})

test('survives rm -rf .git, and undo removes it again', async () => {
  gitIn(root, 'gc', '-q')
  write('loose.txt', 'loose\n')
  commit('loose objects beside a pack')
  const started = stateOf(root)
  const checkpoint = await start()
  rmSync(file('.git'), { recursive: true })
  await store.revert({ sessionId: SESSION, target: checkpoint.id })
  expect(stateOf(root)).toEqual(started)
  gitIn(root, 'fsck', '--strict')
  await store.undo({ sessionId: SESSION })
  expect(existsSync(file('.git'))).toBe(false)
})

test('survives rm -rf of the whole tree', async () => {
  const started = stateOf(root)
  const checkpoint = await start()
  rmSync(root, { recursive: true })
  await store.revert({ sessionId: SESSION, target: checkpoint.id })
  expect(stateOf(root)).toEqual(started)
})

test('a merge, a rebase and a cherry-pick under way come back as they were', async () => {
  gitIn(root, 'checkout', '-q', '-b', 'side')
  write('tracked.txt', 'side\n')
  commit('side')
  gitIn(root, 'checkout', '-q', 'main')
  write('tracked.txt', 'main\n')
  commit('main')
  for (const begin of [['merge', 'side'], ['rebase', 'side'], ['cherry-pick', 'side']]) {
    expect(() => gitIn(root, ...begin)).toThrow()
    const started = stateOf(root)
    const checkpoint = await start()
    gitIn(root, begin[0] as string, '--abort')
    await store.revert({ sessionId: SESSION, target: checkpoint.id })
    expect(stateOf(root)).toEqual(started)
    gitIn(root, begin[0] as string, '--abort')
  }
})

test('an unborn and a detached HEAD come back', async () => {
  gitIn(root, 'checkout', '-q', '--detach')
  const detached = stateOf(root)
  const first = await start()
  gitIn(root, 'checkout', '-q', '--orphan', 'empty')
  await store.revert({ sessionId: SESSION, target: first.id })
  expect(stateOf(root)).toEqual(detached)

  rmSync(file('.git'), { recursive: true })
  createRepository(root)
  gitIn(root, 'add', 'tracked.txt')
  const files = filesBelow(root)
  const unborn = await start()
  commit('born')
  await store.revert({ sessionId: SESSION, target: unborn.id })
  expect(filesBelow(root)).toEqual(files)
})

test('hooks, config and a lock left by a killed git are put right', async () => {
  const checkpoint = await start()
  const started = stateOf(root)
  write('.git/hooks/pre-commit', '#!/bin/sh\ncurl evil\n')
  chmodSync(file('.git/hooks/pre-commit'), 0o755)
  gitIn(root, 'config', 'core.hooksPath', '/tmp/evil')
  write('.git/index.lock', '')
  await store.revert({ sessionId: SESSION, target: checkpoint.id })
  expect(stateOf(root)).toEqual(started)
  await store.undo({ sessionId: SESSION })
  expect(existsSync(file('.git/hooks/pre-commit'))).toBe(true)
  expect(existsSync(file('.git/index.lock'))).toBe(false)
})

test('every kind of name, permission, link and empty folder comes back', async () => {
  const names = ['new\nline', '"quoted"', '-dash', 'ünïcödé', ' space ', 'back\\slash', 'tab\t', 'n'.repeat(255), '.git~', '.GIT', 'a:b*?']
  for (const name of names) {
    write(`names/${name}/${name}`, name)
    symlinkSync(name, file(`names/link ${names.indexOf(name)}`))
  }
  const invalid = Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff, 0xfe, 0x0a])])
  writeFileSync(invalid, 'bytes')
  mkdirSync(file('empty/inner'), { recursive: true })
  mkdirSync(file('closed'), { mode: 0o700 })
  write('secret', 's')
  chmodSync(file('secret'), 0o600)
  write('run.sh', 'r')
  chmodSync(file('run.sh'), 0o4755)
  symlinkSync('nowhere', file('dangling'))
  write('crlf.txt', 'a\r\nb\n')
  write('.gitattributes', '* text=auto eol=lf ident filter=lfs working-tree-encoding=UTF-16\n')
  const started = stateOf(root)
  const checkpoint = await start()
  unlinkSync(invalid)
  for (const name of readdirSync(root)) if (name !== '.git') rmSync(file(name), { recursive: true })
  await store.revert({ sessionId: SESSION, target: checkpoint.id })
  expect(stateOf(root)).toEqual(started)
  chmodSync(file('secret'), 0o644)
  chmodSync(file('closed'), 0o755)
  chmodSync(file('run.sh'), 0o644)
  await store.create({ sessionId: SESSION, root, reason: 'killed' })
  await store.revert({ sessionId: SESSION, target: checkpoint.id })
  expect(stateOf(root)).toEqual(started)
})

test('dependencies, build output and large files are left out by name, and no revert deletes them', async () => {
  store = openStore(join(scratch.folder, 'small'), { file: 4_000, ignoredFile: 1_000 })
  write('node_modules/x/index.js', 'x')
  write('build/out.js', 'o')
  write('big.bin', 'b'.repeat(5_000))
  write('big.log', 'l'.repeat(2_000))
  write('small.log', 'l')
  write('tracked.txt', 't'.repeat(2_000))
  const checkpoint = await start()
  expect(checkpoint.leftOut.map((item) => item.path).sort()).toEqual(['big.bin', 'big.log', 'build', 'node_modules'])
  expect(checkpoint.fileCount).toBe(4)

  truncateSync(file('big.bin'), 10)
  rmSync(file('.gitignore'))
  rmSync(file('small.log'))
  write('tracked.txt', 'T'.repeat(9_000))
  const report = await store.revert({ sessionId: SESSION, target: checkpoint.id })
  expect(report).toMatchObject({ written: ['.gitignore', 'small.log', 'tracked.txt'], deleted: [], conflicts: [] })
  expect(statSync(file('big.bin')).size).toBe(10)
  expect(readFileSync(file('build/out.js'), 'utf8')).toBe('o')
  await store.undo({ sessionId: SESSION })
  expect(readFileSync(file('tracked.txt'), 'utf8')).toBe('T'.repeat(9_000))
})

test('a build folder with a tracked file in it is kept, and so is one that git does not ignore', async () => {
  write('build/kept.ts', 'k')
  gitIn(root, 'add', '-f', 'build/kept.ts')
  write('dist/page.html', 'p')
  write('sub/.gitignore', 'target\n')
  write('sub/target/out', 'o')
  const checkpoint = await start()
  expect(checkpoint.leftOut.map((item) => item.path)).toEqual(['sub/target'])
})

test('a file that stands where left-out things lie does not push them away', async () => {
  write('x', 'a file at the start')
  const checkpoint = await start()
  unlinkSync(file('x'))
  write('x/node_modules/kept.js', 'kept')
  const report = await store.revert({ sessionId: SESSION, target: checkpoint.id })
  expect(report.conflicts.map((conflict) => conflict.path)).toEqual(['x'])
  expect(readFileSync(file('x/node_modules/kept.js'), 'utf8')).toBe('kept')
  expect(readFileSync(file(report.conflicts[0]?.recoveredAs ?? ''), 'utf8')).toBe('a file at the start')
})

test('undo keeps what the user changed since the revert, with the wanted version beside it', async () => {
  write('both.txt', 'start\n')
  write('agent.txt', 'start\n')
  const checkpoint = await start()
  write('both.txt', 'agent\n')
  write('agent.txt', 'agent\n')
  write('made.txt', 'agent\n')
  write('gone.txt', 'agent\n')
  await store.revert({ sessionId: SESSION, target: checkpoint.id })
  write('both.txt', 'user\n')
  write('made.txt', 'user\n')
  write('users-own.txt', 'user\n')
  write('tracked.txt', 'user\n')
  const report = await store.undo({ sessionId: SESSION })
  expect(report.conflicts.map((conflict) => conflict.path)).toEqual(['both.txt', 'made.txt'])
  for (const { path, recoveredAs } of report.conflicts) {
    expect(readFileSync(file(path), 'utf8')).toBe('user\n')
    expect(readFileSync(file(recoveredAs), 'utf8')).toBe('agent\n')
  }
  for (const path of ['users-own.txt', 'tracked.txt']) expect(readFileSync(file(path), 'utf8')).toBe('user\n')
  for (const path of ['agent.txt', 'gone.txt']) expect(readFileSync(file(path), 'utf8')).toBe('agent\n')
})

test('undo keeps a commit the user made since the revert, and hands the agent\'s over as a branch', async () => {
  const checkpoint = await start()
  write('tracked.txt', 'agent\n')
  commit('by the agent')
  const agents = gitIn(root, 'rev-parse', 'HEAD').trim()
  await store.revert({ sessionId: SESSION, target: checkpoint.id })
  write('users.txt', 'user\n')
  commit('by the user')
  const users = gitIn(root, 'rev-parse', 'HEAD').trim()
  const index = gitIn(root, 'ls-files', '--stage')
  const report = await store.undo({ sessionId: SESSION })
  expect(gitIn(root, 'rev-parse', 'main').trim()).toBe(users)
  expect(gitIn(root, 'ls-files', '--stage')).toBe(index)
  const branch = report.conflicts.find((conflict) => conflict.path === '.git/refs/heads/main')?.recoveredAs ?? ''
  expect(gitIn(root, 'rev-parse', branch.slice('.git/'.length)).trim()).toBe(agents)
})

test('git status between revert and undo, which rewrites the index, is no conflict', async () => {
  const checkpoint = await start()
  write('tracked.txt', 'agent\n')
  commit('by the agent')
  const killed = stateOf(root)
  await store.revert({ sessionId: SESSION, target: checkpoint.id })
  const bytes = readFileSync(file('.git/index'))
  gitIn(root, 'update-index', '--refresh')
  expect(readFileSync(file('.git/index')).equals(bytes)).toBe(false)
  expect((await store.undo({ sessionId: SESSION })).conflicts).toEqual([])
  expect(stateOf(root)).toEqual(killed)
})

test('refs packed between revert and undo are no conflict', async () => {
  const checkpoint = await start()
  write('tracked.txt', 'agent\n')
  commit('by the agent')
  const agents = gitIn(root, 'rev-parse', 'HEAD')
  await store.revert({ sessionId: SESSION, target: checkpoint.id })
  gitIn(root, 'gc', '-q')
  expect((await store.undo({ sessionId: SESSION })).conflicts).toEqual([])
  expect(gitIn(root, 'rev-parse', 'main')).toBe(agents)
})

test('a revert after a revert keeps what the user did in between', async () => {
  write('shared.txt', '0\n')
  const first = await start()
  write('shared.txt', '1\n')
  const second = await store.create({ sessionId: SESSION, root, reason: 'on-demand' })
  await store.revert({ sessionId: SESSION, target: first.id })
  write('shared.txt', 'user\n')
  const report = await store.revert({ sessionId: SESSION, target: second.id })
  expect(readFileSync(file('shared.txt'), 'utf8')).toBe('user\n')
  expect(readFileSync(file(report.conflicts[0]?.recoveredAs ?? ''), 'utf8')).toBe('1\n')
})

test('undo is a stack: each takes back one revert, also after a restart of the host', async () => {
  const states: unknown[] = []
  const checkpoints = []
  for (const text of ['0', '1', '2']) {
    write('tracked.txt', text)
    states.push(stateOf(root))
    checkpoints.push(await store.create({ sessionId: SESSION, root, reason: 'on-demand' }))
  }
  await store.revert({ sessionId: SESSION, target: checkpoints[1]!.id })
  await store.revert({ sessionId: SESSION, target: checkpoints[0]!.id })
  store = openStore(join(scratch.folder, 'store'))
  await store.undo({ sessionId: SESSION })
  expect(stateOf(root)).toEqual(states[1])
  await store.undo({ sessionId: SESSION })
  expect(stateOf(root)).toEqual(states[2])
  await expect(store.undo({ sessionId: SESSION })).rejects.toMatchObject({ code: 'nothing-to-undo' })
})

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
  const when = Math.floor(Date.now() / 1000) + 0
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

test('a broken object in the repository is not relied upon', async () => {
  const oid = gitIn(root, 'rev-parse', 'HEAD:tracked.txt').trim()
  const object = file(`.git/objects/${oid.slice(0, 2)}/${oid.slice(2)}`)
  chmodSync(object, 0o644)
  truncateSync(object, 0)
  const checkpoint = await start()
  unlinkSync(file('tracked.txt'))
  await store.revert({ sessionId: SESSION, target: checkpoint.id })
  expect(readFileSync(file('tracked.txt'), 'utf8')).toBe('tracked\n')
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

test('without git on the PATH it says to install git', async () => {
  const path = process.env['PATH']
  process.env['PATH'] = join(scratch.folder, 'nothing')
  try {
    await expect(start()).rejects.toMatchObject({ code: 'checkpoint-failed', message: expect.stringContaining('Install git') as string })
  } finally {
    process.env['PATH'] = path
  }
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
