import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { holdFolders } from '../../shared/core/checkpoints/held-folders.ts'
import { createPlacer, removeFile, removeFolder, setPermissions } from '../../shared/core/checkpoints/place.ts'
import { createProject as createProjectStore } from '../../shared/core/checkpoints/project.ts'
import { foundFile } from '../../shared/core/checkpoints/walk.ts'
import { createProject, createRepository, createScratch, filesBelow, gitIn, openStore, OTHER_SESSION, SESSION } from '../integration/checkpoint-fixture.ts'

/** What an agent that controls the tree and its git folder can put there, to be met by the host. */
let { scratch, root, store, file, write }: ReturnType<typeof createProject> = {} as never
beforeEach(() => void ({ scratch, root, store, file, write } = createProject()))
afterEach(() => scratch.remove())

const start = () => store.create({ sessionId: SESSION, root, reason: 'start' })
const pipe = (path: string) => {
  rmSync(file(path), { recursive: true, force: true })
  execFileSync('mkfifo', [file(path)])
}

/** A repository of the user's that the session was not given. */
const createVictim = () => {
  const victim = join(scratch.folder, 'victim')
  createRepository(victim)
  writeFileSync(join(victim, 'a'), 'victim')
  gitIn(victim, 'add', '.')
  gitIn(victim, 'commit', '-q', '-m', 'victim')
  return victim
}

test('pipes where git keeps its text hold nobody up, at a checkpoint or at a revert', async () => {
  write('build/x', 'x')
  write('big.log', 'l'.repeat(2_000_000))
  const checkpoint = await start()
  for (const path of ['.git/HEAD', '.git/packed-refs', '.git/objects/info/alternates', '.git/info/exclude', '.git/config', '.gitmodules', '.gitattributes', '.gitignore']) pipe(path)
  await store.create({ sessionId: SESSION, root, reason: 'on-demand' })
  rmSync(file('.git'), { recursive: true })
  pipe('.git')
  await store.create({ sessionId: OTHER_SESSION, root, reason: 'start' })
  unlinkSync(file('.git'))
  unlinkSync(file('.gitignore'))
  await store.revert({ sessionId: SESSION, target: checkpoint.id })
  expect(gitIn(root, 'log', '-1', '--format=%s')).toBe('first\n')
  expect(readFileSync(file('.gitignore'), 'utf8')).toContain('build')
}, 60_000)

test('a .git file that names the repository of another folder gives no hold on that', async () => {
  const victim = createVictim()
  rmSync(file('.git'), { recursive: true })
  write('.git', `gitdir: ${victim}/.git\n`)
  const checkpoint = await start()
  expect(checkpoint).toMatchObject({ hasGit: false, leftOut: expect.arrayContaining([expect.objectContaining({ path: '.git' })]) as unknown })
  gitIn(victim, 'commit', '-q', '--allow-empty', '-m', 'by the user')
  const before = filesBelow(victim)
  await store.revert({ sessionId: SESSION, target: checkpoint.id })
  expect(filesBelow(victim)).toEqual(before)
})

test('a git folder made by the agent cannot name the repository of another folder as the one it shares', async () => {
  const victim = createVictim()
  rmSync(file('.git'), { recursive: true })
  write('fake/HEAD', 'ref: refs/heads/main\n')
  write('fake/commondir', `${victim}/.git\n`)
  write('.git', 'gitdir: fake\n')
  const checkpoint = await start()
  gitIn(victim, 'commit', '-q', '--allow-empty', '-m', 'by the user')
  const before = filesBelow(victim)
  await store.revert({ sessionId: SESSION, target: checkpoint.id })
  expect(filesBelow(victim)).toEqual(before)
})

test('a git folder elsewhere that names the folder back, and one with no tree of its own, are kept and come back', async () => {
  gitIn(root, 'init', '-q', '--separate-git-dir', join(scratch.folder, 'separate'))
  const checkpoint = await start()
  expect(checkpoint.hasGit).toBe(true)
  const before = filesBelow(join(scratch.folder, 'separate'), ['objects'])
  gitIn(root, 'commit', '-q', '--allow-empty', '-m', 'agent')
  gitIn(root, 'config', 'core.fsmonitor', 'evil')
  await store.revert({ sessionId: SESSION, target: checkpoint.id })
  expect(filesBelow(join(scratch.folder, 'separate'), ['objects'])).toEqual(before)
})

test('links put in place of folders lead no write, no removal and no permission out of the tree', async () => {
  write('src/deep/other.ts', 'other')
  const checkpoint = await start()
  const outside = join(scratch.folder, 'outside')
  mkdirSync(join(outside, 'deep'), { recursive: true })
  mkdirSync(join(outside, 'objects'))
  writeFileSync(join(outside, 'deep/code.ts'), 'code\n', { mode: 0o600 })
  writeFileSync(join(outside, 'deep/agent.ts'), 'agent\n')
  write('src/deep/agent.ts', 'agent\n')
  await store.create({ sessionId: SESSION, root, reason: 'on-demand' })
  renameSync(file('src'), file('src-away'))
  symlinkSync(outside, file('src'))
  renameSync(file('.git/objects'), file('.git/objects-away'))
  symlinkSync(join(outside, 'objects'), file('.git/objects'))
  const before = filesBelow(outside)
  await store.revert({ sessionId: SESSION, target: checkpoint.id })
  expect(filesBelow(outside)).toEqual(before)
  expect(readdirSync(file('src/deep'))).toEqual(['code.ts', 'other.ts'])
  expect(gitIn(root, 'status', '--porcelain')).toBe('?? src/deep/other.ts\n')
  expect(existsSync(file('src-away'))).toBe(false)
})

test('a file that was replaced since it was seen is not read: no pipe is waited for, and no link leads to a file of others', async () => {
  write('seen.txt', 'seen')
  const seen = foundFile('work/seen.txt', file('seen.txt'), lstatSync(file('seen.txt')))
  const secret = join(scratch.folder, 'secret')
  writeFileSync(secret, 'SECRET')
  const project = createProjectStore(join(scratch.folder, 'own'))
  await project.ready()
  const replacements: [string, string, () => void][] = [
    ['a pipe', 'was replaced', () => pipe('seen.txt')],
    ['a link', 'ELOOP', () => symlinkSync(secret, file('seen.txt'))],
    ['another file', 'was replaced', () => write('seen.txt', 'other')],
    ['a folder', 'was replaced', () => mkdirSync(file('seen.txt'))],
  ]
  for (const [what, fault, replace] of replacements) {
    renameSync(file('seen.txt'), file('aside.txt'))
    replace()
    await expect(project.keep([seen]), what).rejects.toThrow(fault)
    rmSync(file('seen.txt'), { recursive: true })
    renameSync(file('aside.txt'), file('seen.txt'))
  }
  mkdirSync(join(scratch.folder, 'elsewhere'))
  writeFileSync(join(scratch.folder, 'elsewhere/seen.txt'), 'SECRET')
  renameSync(root, `${root}-aside`)
  symlinkSync(join(scratch.folder, 'elsewhere'), root)
  await expect(project.keep([seen]), 'a folder made a link').rejects.toThrow('was replaced')
  unlinkSync(root)
  renameSync(`${root}-aside`, root)
  const [oid = ''] = await project.keep([seen])
  expect(await project.run({ args: ['cat-file', 'blob', oid] })).toBe('seen')
})

test('what stands where an object should be, a pipe or a link to a file of others, is neither waited for nor copied, on this disk or from another', async () => {
  const otherDisk = existsSync('/dev/shm') ? createScratch('/dev/shm') : scratch
  try {
    for (const folder of [join(scratch.folder, 'store'), join(otherDisk.folder, 'store')]) {
      const here = openStore(folder)
      const secret = join(scratch.folder, 'secret')
      writeFileSync(secret, 'CANARY-SECRET')
      const oid = gitIn(root, 'hash-object', '-w', 'tracked.txt').trim()
      const object = (id: string): string => file(`.git/objects/${id.slice(0, 2)}/${id.slice(2)}`)
      const aside = readFileSync(object(oid))
      const start = await here.create({ sessionId: SESSION, root, reason: 'on-demand' })
      unlinkSync(object(oid))
      symlinkSync(secret, object(oid))
      const planted = execFileSync('git', ['hash-object', '--stdin'], { input: 'planned\n', encoding: 'utf8' }).trim()
      mkdirSync(join(object(planted), '..'), { recursive: true })
      execFileSync('mkfifo', [object(planted)])
      write('planned.txt', 'planned\n')
      const checkpoint = await here.create({ sessionId: SESSION, root, reason: 'on-demand' })
      expect(spawnSync('grep', ['-rl', 'CANARY-SECRET', folder], { encoding: 'utf8' }).stdout).toBe('')
      rmSync(file('planned.txt'))
      await here.revert({ sessionId: SESSION, target: checkpoint.id })
      expect(readFileSync(file('planned.txt'), 'utf8')).toBe('planned\n')
      await here.revert({ sessionId: SESSION, target: start.id })
      expect(readFileSync(object(oid)).equals(aside)).toBe(true)
      unlinkSync(object(planted))
      rmSync(file('planned.txt'), { force: true })
    }
  } finally {
    if (otherDisk !== scratch) otherDisk.remove()
  }
}, 60_000)

/** Puts a link to `elsewhere` in the place of a folder, and the folder back, over and over, until it is killed. */
const SWAP = `
  const fs = require('node:fs')
  const [folder, elsewhere] = process.argv.slice(1)
  const tried = (work) => { try { work() } catch {} }
  process.stdout.write('begun')
  for (let turn = 0; ; turn += 1) {
    tried(() => fs.renameSync(folder, folder + turn))
    tried(() => fs.symlinkSync(elsewhere, folder))
    tried(() => fs.unlinkSync(folder))
    tried(() => fs.renameSync(folder + turn, folder))
  }
`

test('nothing is written, changed or removed outside the folder, though another session swaps folders for links while it is put back', async () => {
  const canary = join(scratch.folder, 'canary')
  for (const name of ['kept', 'gone', 'mode', 'objects/x/y']) write(`a/b/${name}`, name)
  cpSync(file('a'), canary, { recursive: true })
  mkdirSync(join(canary, 'b/empty'))
  const look = () => ({ files: filesBelow(canary), times: readdirSync(canary, { recursive: true, encoding: 'utf8' }).map((name) => lstatSync(join(canary, name)).mtimeMs) })
  const before = look()
  const swap = spawn(process.execPath, ['-e', SWAP, file('a'), canary], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(swap.stdout, 'data')
  const held = holdFolders()
  let [done, refused] = [0, 0]
  try {
    for (let round = 0; round < 600; round += 1) {
      const placer = createPlacer(held, 'tag')
      const works = [
        () => {
          const sink = placer.receive(root, file('a/b/kept'), { mode: '100644', oid: '', permissions: 0o640 }, round, 1_000, () => undefined)
          sink.write(Buffer.from('written'))
          sink.end()
        },
        () => placer.receive(root, file('a/b/link'), { mode: '120000', oid: '', permissions: 0 }, round, undefined, () => undefined).end(),
        () => void placer.makeFolder(root, file('a/b/made')),
        () => removeFile(held, file('a/b/gone')),
        () => void removeFolder(held, file('a/b/empty')),
        () => setPermissions(held, file('a/b/mode'), 0o644, 0o777),
        () => held.clear(file('a/b/objects')),
      ]
      for (const work of works) {
        try {
          work()
          done += 1
        } catch {
          refused += 1
        }
      }
    }
  } finally {
    held.close()
    swap.kill('SIGKILL')
    await once(swap, 'close')
  }
  expect(look()).toEqual(before)
  expect({ done: done > 100, refused: refused > 100 }).toEqual({ done: true, refused: true })
}, 120_000)
