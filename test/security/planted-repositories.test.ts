import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { guardFiles } from '../../shared/core/containers/guarded-files.ts'
import { createLinuxProvider } from '../../shared/core/containers/linux.ts'
import { findRepositories, holdRepository } from '../../shared/core/containers/repositories.ts'
import { watchRepositories, type Planted, type PlantedLink, type RepositoryWatch } from '../../shared/core/containers/repository-watch.ts'
import type { Container } from '../../shared/core/ports.ts'
import { initRepository, makeScene, printed } from '../fixtures/containers.ts'

const provider = createLinuxProvider()
const missing = await provider.unavailable()
const program = fileURLToPath(new URL('../../shared/host/repository-watcher.ts', import.meta.url))

describe.skipIf(missing !== null)('a git repository that the agent makes in its project', () => {
  let scene: ReturnType<typeof makeScene>
  let watch: RepositoryWatch
  let container: Container | null = null
  let planted: (Planted | PlantedLink)[] = []
  let limited: string[] = []
  let tell = (): void => undefined
  const canary = () => path.join(scene.folder, 'ran')
  const project = (...names: string[]) => path.join(scene.project, ...names)
  const userRunsGit = (folder = scene.project) => spawnSync('git', ['-C', folder, 'status'], { env: { PATH: process.env['PATH'], HOME: scene.folder } })
  /** A repository in `folder`, part of the project as git sees it, whose settings run a command at every git status. */
  const gitlink = (folder: string): string =>
    `git init -q ${folder} && git -C ${folder} commit -q --allow-empty -m x && git -c advice.addEmbeddedRepo=false add ${folder}`
  const evil = (folder: string): string => `git -C ${folder} config core.fsmonitor 'touch ${canary()}; false'`

  beforeEach(async () => {
    scene = makeScene()
    initRepository(scene.project)
    planted = []
    limited = []
    watch = await watchRepositories({
      program,
      roots: [scene.project],
      unwatched: [scene.home],
      onPlanted: (found) => {
        planted.push(...found)
        tell()
      },
      onLimited: (reason) => limited.push(reason),
    })
  })
  afterEach(async () => {
    await container?.kill()
    container = null
    await watch.close()
    rmSync(scene.folder, { recursive: true, force: true })
  })
  const untilPlanted = (): Promise<void> => new Promise((resolve) => (planted.length > 0 ? resolve() : (tell = resolve)))
  /** Runs a script inside, as a session does, to its line "done". */
  const inside = async (script: string): Promise<void> => {
    const guarded = guardFiles([scene.project], watch.found.repositories)
    watch.guard(guarded.repositories)
    const identity = { GIT_AUTHOR_NAME: 'A', GIT_AUTHOR_EMAIL: 'a@b', GIT_COMMITTER_NAME: 'A', GIT_COMMITTER_EMAIL: 'a@b' }
    const env = { PATH: '/usr/bin:/bin', HOME: '/home/agent', ...identity }
    container = await provider.launch(scene.spec(`${script}\necho done; sleep 1000`, { env, readable: guarded.readable }))
    await printed(container, 'done')
    guarded.release()
  }
  const held = (folder: string) => readdirSync(project(folder)).filter((name) => name.startsWith('.git'))

  test('runs by git status of the user where nobody watches, or this file would prove nothing', async () => {
    await watch.close()
    await inside(`${gitlink('sub')} && ${evil('sub')}`)
    userRunsGit()
    expect(existsSync(canary())).toBe(true)
  })

  test('is put aside while the session runs, as soon as it would run something, so that git status of the user does not run it', async () => {
    await inside(`${gitlink('sub')} && ${evil('sub')}`)
    await untilPlanted()
    userRunsGit()
    userRunsGit(project('sub'))
    expect(existsSync(canary())).toBe(false)
    expect(planted).toMatchObject([{ repository: project('sub', '.git'), runs: ['core.fsmonitor'] }])
    expect(held('sub')).toEqual([expect.stringMatching(/^\.git\.held-/)])
  })

  test('is put aside however deep it lies, in node_modules too', async () => {
    const deep = 'node_modules/a/b/c/d/e/f/g/h'
    await inside(`mkdir -p ${deep} && ${gitlink(deep)} && ${evil(deep)}`)
    await untilPlanted()
    userRunsGit()
    expect(existsSync(canary())).toBe(false)
  })

  test('is put aside when it is moved into place whole, or made to be one by its last file', async () => {
    await inside(`${gitlink('a/sub')} && mv a/sub/.git a/sub/plain && ${gitlink('x/other')} && git -C x/other config --unset-all core.bare; git --git-dir=a/sub/plain config core.fsmonitor 'touch ${canary()}; false'; mv a/sub/plain a/sub/.git; mv a b`)
    await untilPlanted()
    await watch.sweep()
    userRunsGit(project('b/sub'))
    expect(existsSync(canary())).toBe(false)
    expect(existsSync(project('x/other/.git'))).toBe(true)
  })

  test.each([
    ['a .git file that leads to another folder', (evil: string) => `printf 'gitdir: ../plain\n' > sub/.git; ${evil} >> plain/config`],
    ['a .git that is a link', (evil: string) => `ln -s ../plain sub/.git; ${evil} >> plain/config`],
    ['a .git file that leads among git’s objects', (evil: string) => `mv plain .git/objects/plain; ${evil} >> .git/objects/plain/config; printf 'gitdir: ../.git/objects/plain\n' > sub/.git`],
    ['a .git file that leads to the agent’s home', (evil: string) => `cp -r plain ~/plain; ${evil} >> ~/plain/config; printf "gitdir: $HOME/plain\n" > sub/.git`],
    ['settings by way of another file', (evil: string) => `${evil} > more; printf '[include]\n\tpath = ../more\n' >> plain/config; mv plain sub/.git`],
    ['settings that are a link', (evil: string) => `mv plain/config more; ${evil} >> more; ln -s ../more plain/config; mv plain sub/.git`],
    ['a hook', () => `mkdir -p plain/hooks; printf '#!/bin/sh\ntouch ${canary()}' > plain/hooks/post-index-change; chmod +x plain/hooks/*; mv plain sub/.git`],
    ['settings of another folder', (evil: string) => `git init -q --bare other; ${evil} >> other/config; printf '../../other\n' > plain/commondir; mv plain sub/.git`],
  ])('is put aside with %s', async (_, script) => {
    await inside(`${gitlink('sub')} && mv sub/.git plain\n${script(`printf '[core]\n\tfsmonitor = "touch ${canary()}; false"\n'`)}`)
    await untilPlanted()
    await watch.sweep()
    userRunsGit()
    userRunsGit(project('sub'))
    expect(existsSync(canary())).toBe(false)
    expect(existsSync(project('sub/.git'))).toBe(false)
  })

  test.each([
    ['among git’s objects', '.git/objects', ':', () => '.git/objects'],
    ['in the agent’s home, as the host has it', '$HOME', ':', () => scene.home],
    ['among git’s objects, in the place of a folder that was harmless', '.git/objects', 'mkdir -p hop/evil', () => '.git/objects'],
  ])('is put aside when its .git file leads, by a link that comes later, to what lies %s', async (_, place, before, target) => {
    await inside(`${before}; ${gitlink('sub')} && mv sub/.git ${place}/evil && ${evil('sub').replace('-C sub', `--git-dir=${place}/evil`)}; printf 'gitdir: ../hop/evil\n' > sub/.git`)
    expect(await watch.sweep()).toEqual([])
    rmSync(project('hop'), { recursive: true, force: true })
    symlinkSync(target(), project('hop'))
    await untilPlanted()
    await watch.sweep()
    userRunsGit()
    userRunsGit(project('sub'))
    expect(existsSync(canary())).toBe(false)
  })

  test.each([
    ['among git’s objects', '.git/objects/evil'],
    ['in the agent’s home, as the host has it', '$HOST_HOME/evil'],
    ['through /proc, which leads everyone elsewhere', '/proc/self/cwd/.git/objects/evil'],
  ])('is not reached by a link to what the agent keeps %s', async (_, place) => {
    await inside(`HOST_HOME=${scene.home}; ${gitlink('.git/objects/evil')}; ${evil('.git/objects/evil')}; cp -r .git/objects/evil ~/evil; ln -s ${place} docs`)
    await untilPlanted()
    spawnSync('sh', ['-c', 'cd docs && git status'], { cwd: scene.project, env: { PATH: process.env['PATH'] } })
    expect(existsSync(canary())).toBe(false)
    expect(planted).toMatchObject([{ link: project('docs'), isRemoved: true }])
  })

  test('is put aside as a repository under another name, too', async () => {
    await inside(`git init -q --bare odd && git -C odd config core.bare false && git -C odd config core.worktree "$PWD" && ${evil('odd')}`)
    await untilPlanted()
    userRunsGit(project('odd'))
    expect(existsSync(canary())).toBe(false)
    writeFileSync(project('odd', 'config.lock'), '')
    renameSync(project('odd', 'config.lock'), project('odd', 'config.worktree'))
    expect(await watch.sweep()).toEqual([])
    expect(planted).toMatchObject([{ repository: project('odd'), aside: expect.stringContaining('/odd/HEAD.held-') as string }])
  })

  test('is told of once where two sessions watch the same project', async () => {
    const others: (Planted | PlantedLink)[] = []
    const second = await watchRepositories({
      program,
      roots: [scene.project],
      unwatched: [scene.home],
      onPlanted: (found) => {
        others.push(...found)
        tell()
      },
      onLimited: () => undefined,
    })
    const told = untilPlanted()
    await inside(`${gitlink('sub')} && ${evil('sub')}`)
    await told
    others.push(...(await second.sweep()))
    planted.push(...(await watch.sweep()))
    expect([...planted, ...others]).toMatchObject([{ aside: expect.any(String) as string }])
    await second.close()
  })

  test('cannot hide in a flood of changes', async () => {
    await inside(`mkdir flood; for p in 1 2 3; do ( while :; do : > flood/$p; rm flood/$p; done & ) ; done; sleep 0.3; ${gitlink('sub')}; ${evil('sub')}`)
    await untilPlanted()
    userRunsGit()
    expect(existsSync(canary())).toBe(false)
  })

  test('stays where it is when nothing in it runs: clone, worktree, submodule', async () => {
    await inside(
      [
        ...['set -e', 'git init -q fine', 'git -C fine commit -q --allow-empty -m x', 'git clone -q fine copy', 'git worktree add -q tree'],
        ...['git -C tree commit -q --allow-empty -m y', 'git -c protocol.file.allow=always submodule --quiet add ./fine part', 'git -C copy config user.name A'],
        ...['ln -s fine/x link', 'ln -s ring ring', 'ln -s /dev/null nothing', 'ln -s .git/HEAD head', 'mkdir -p .git/annex/objects/1/2/k', 'ln -s .git/annex/objects/1/2/k/k large'],
      ].join('\n'),
    )
    expect(await watch.sweep()).toEqual([])
    expect(planted).toEqual([])
    expect(limited).toEqual([])
  })

  test('is told of when the session ends before it was seen', async () => {
    await inside(`${gitlink('sub')}`)
    await container?.kill()
    execFileSync('git', ['-C', project('sub'), 'config', 'alias.x', '!true'])
    const last = await watch.sweep()
    expect([...planted, ...last]).toMatchObject([{ repository: project('sub', '.git'), runs: ['alias.x'] }])
  })

  test('one that was there before stays as it is, whatever it runs', async () => {
    await watch.close()
    const own = project('mine')
    mkdirSync(own)
    initRepository(own)
    execFileSync('git', ['-C', own, 'config', 'core.hooksPath', '.husky'])
    const before = readFileSync(path.join(own, '.git/config'), 'utf8')
    watch = await watchRepositories({ program, roots: [scene.project], unwatched: [scene.home], onPlanted: (found) => planted.push(...found), onLimited: () => undefined })
    await inside('git -C mine commit -q --allow-empty -m x; git -C mine config core.fsmonitor x || echo refused')
    expect(await watch.sweep()).toEqual([])
    expect([planted, readFileSync(path.join(own, '.git/config'), 'utf8')]).toEqual([[], before])
  })
})

describe('putting a repository aside', () => {
  test('follows no link: a folder that was exchanged for one leads nowhere', () => {
    const scene = makeScene()
    const users = path.join(scene.folder, 'users')
    mkdirSync(users)
    initRepository(users)
    symlinkSync(users, path.join(scene.project, 'sub'))
    expect(holdRepository(path.join(scene.project, 'sub', '.git'), [scene.project])).toBe(null)
    expect(existsSync(path.join(users, '.git/HEAD'))).toBe(true)
    rmSync(scene.folder, { recursive: true })
  })

  test('works in a folder that the agent has closed', () => {
    const scene = makeScene()
    const sub = path.join(scene.project, 'sub')
    mkdirSync(path.join(sub, '.git'), { recursive: true })
    execFileSync('chmod', ['500', sub])
    expect(holdRepository(path.join(sub, '.git'), [scene.project])).toMatch(/\/sub\/\.git\.held-[0-9a-f]{6}$/)
    rmSync(scene.folder, { recursive: true })
  })
})

test('a search says when there are more folders than it looks at, and leaves out the deepest', () => {
  const scene = makeScene()
  for (const name of ['a/.git', 'b/c/d/.git']) mkdirSync(path.join(scene.project, name), { recursive: true })
  const found = findRepositories([scene.project], 5)
  expect([found.isWhole, found.repositories, found.folders.length]).toEqual([false, [path.join(scene.project, 'a/.git')], 5])
  expect(findRepositories([scene.project], 7).isWhole).toBe(true)
  renameSync(scene.project, path.join(scene.folder, 'gone'))
  expect(findRepositories([scene.project]).repositories).toEqual([])
  writeFileSync(scene.project, '')
  rmSync(scene.folder, { recursive: true })
})
