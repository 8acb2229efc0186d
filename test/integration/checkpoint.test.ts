import { execFileSync } from 'node:child_process'
import {
  chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, truncateSync, unlinkSync, utimesSync, writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createProject, createRepository, filesBelow, gitIn, openStore, SESSION, stateOf } from './checkpoint-fixture.ts'

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
  // A new hard link changes the link count of a pack, and with it its ctime: nothing else may move.
  const withoutLinks = (lines: string[]) => lines.filter((line) => !/\.git\/objects\/pack\/./.test(line))
  const before = times()
  await start()
  await store.create({ sessionId: SESSION, root, reason: 'on-demand' })
  expect(withoutLinks(times())).toEqual(withoutLinks(before))
  expect(times().map((line) => line.split(' ')[1])).toEqual(before.map((line) => line.split(' ')[1]))
})

test('history that was emptied or changed in place, by the names that it has, comes back', async () => {
  const objects = gitIn(root, 'rev-list', '--objects', '--all').split('\n').map((line) => line.slice(0, 40)).filter((oid) => oid !== '')
  const checkpoint = await start()
  for (const oid of objects) {
    const object = file(`.git/objects/${oid.slice(0, 2)}/${oid.slice(2)}`)
    const { size } = statSync(object)
    chmodSync(object, 0o644)
    writeFileSync(object, oid === objects[0] ? Buffer.alloc(size, 1) : '')
    utimesSync(object, 1, 1)
  }
  expect(() => gitIn(root, 'log')).toThrow('fatal: ')
  await store.revert({ sessionId: SESSION, target: checkpoint.id })
  expect(gitIn(root, 'fsck', '--full')).toBe('')
  expect(gitIn(root, 'rev-list', '--objects', '--all').split('\n').length).toBe(objects.length + 1)
})

test('a path longer than any that the system takes keeps nothing else from coming back, and is named', async () => {
  const checkpoint = await start()
  write('tracked.txt', 'agent')
  execFileSync('python3', ['-c', "import os\nfor _ in range(30):\n  os.mkdir('d' * 200)\n  os.chdir('d' * 200)\nopen('end', 'w')"], { cwd: root })
  const { written, notKept } = await store.revert({ sessionId: SESSION, target: checkpoint.id })
  expect(written).toEqual(['tracked.txt'])
  expect(notKept).toEqual({ paths: [expect.stringMatching(/^d{200}\/.*d$/)], total: 1 })
  await store.undo({ sessionId: SESSION })
  expect(readFileSync(file('tracked.txt'), 'utf8')).toBe('agent')
  execFileSync('rm', ['-rf', 'd'.repeat(200)], { cwd: root })
})

test('files as long as the file system allows, in the place of kept ones and in .git, hold no revert up: they get another name', async () => {
  const started = stateOf(root)
  const checkpoint = await start()
  const long = [`.git/objects/aa/${'0'.repeat(38)}`, 'tracked.txt', '.git/packed-refs', '.git/ORIG_HEAD', '.git/refs/heads/long']
  mkdirSync(file('.git/objects/aa'), { recursive: true })
  for (const path of long) {
    write(path, '')
    truncateSync(file(path), 2 ** 40)
  }
  execFileSync('mkfifo', [file('.git/shallow')])
  const { conflicts } = await store.revert({ sessionId: SESSION, target: checkpoint.id })
  expect(conflicts.map(({ path }) => path.replace(/\.holdfast-.*/, '')).sort()).toEqual(['.git/ORIG_HEAD', '.git/packed-refs', '.git/refs/heads/long', '.git/shallow', 'tracked.txt'])
  expect(gitIn(root, 'branch', '--list')).toBe('* main\n')
  for (const { path } of conflicts) rmSync(file(path))
  rmSync(file(long[0] ?? ''))
  expect(stateOf(root)).toEqual(started)
})

test('the folder itself gets its permissions back', async () => {
  chmodSync(root, 0o700)
  const checkpoint = await start()
  chmodSync(root, 0o777)
  await store.revert({ sessionId: SESSION, target: checkpoint.id })
  expect(statSync(root).mode & 0o777).toBe(0o700)
  await store.undo({ sessionId: SESSION })
  expect(statSync(root).mode & 0o777).toBe(0o777)
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

for (const torn of ['HEAD', 'refs', 'config']) {
  test(`a .git with its ${torn} torn out is made whole, with every object, and undo tears it out again`, async () => {
    const started = stateOf(root)
    const checkpoint = await start()
    rmSync(file(`.git/${torn}`), { recursive: true })
    const killed = filesBelow(root)
    await store.revert({ sessionId: SESSION, target: checkpoint.id })
    expect(stateOf(root)).toEqual(started)
    await store.undo({ sessionId: SESSION })
    expect(filesBelow(root)).toEqual(killed)
    await store.create({ sessionId: SESSION, root, reason: 'on-demand' })
    await store.revert({ sessionId: SESSION, target: checkpoint.id })
    expect(stateOf(root)).toEqual(started)
  })
}

test('a bare repository in the tree keeps its objects with its HEAD torn out', async () => {
  gitIn(scratch.folder, 'clone', '-q', '--bare', root, file('bare.git'))
  const objects = () => execFileSync('find', [file('bare.git/objects'), '-type', 'f'], { encoding: 'utf8' }).split('\n').sort()
  const [started, kept] = [stateOf(root), objects()]
  const checkpoint = await start()
  unlinkSync(file('bare.git/HEAD'))
  await store.revert({ sessionId: SESSION, target: checkpoint.id })
  expect([stateOf(root), objects()]).toEqual([started, kept])
  await store.undo({ sessionId: SESSION })
  expect(objects()).toEqual(kept)
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
    expect(() => gitIn(root, ...begin)).toThrow('Command failed')
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
    expect(readFileSync(file(recoveredAs ?? ''), 'utf8')).toBe('agent\n')
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

test('undo does not put a merge of the agent\'s on top of what the user has staged since', async () => {
  gitIn(root, 'checkout', '-q', '-b', 'side')
  write('side.txt', 'side\n')
  commit('side')
  gitIn(root, 'checkout', '-q', 'main')
  write('users.txt', 'before\n')
  const checkpoint = await start()
  gitIn(root, 'merge', '-q', '--no-ff', '--no-commit', 'side')
  await store.revert({ sessionId: SESSION, target: checkpoint.id })
  write('users.txt', 'staged\n')
  gitIn(root, 'add', 'users.txt')
  const index = readFileSync(file('.git/index'))
  const report = await store.undo({ sessionId: SESSION })
  expect(readFileSync(file('.git/index')).equals(index)).toBe(true)
  expect(existsSync(file('.git/MERGE_HEAD'))).toBe(false)
  expect(report.conflicts.map((conflict) => conflict.path)).toContain('.git/MERGE_HEAD')
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
  await store.mark({ sessionId: SESSION, state: 'over' })
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
