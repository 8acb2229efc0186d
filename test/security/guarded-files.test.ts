import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { guardFiles as guard } from '../../shared/core/containers/guarded-files.ts'
import { linkedPackages } from '../../shared/core/containers/linked-packages.ts'
import { findRepositories } from '../../shared/core/containers/repositories.ts'
import { createLinuxProvider } from '../../shared/core/containers/linux.ts'
import { initRepository, makeScene, runToEnd } from '../fixtures/containers.ts'

const provider = createLinuxProvider()
const missing = await provider.unavailable()
const guardFiles = (roots: readonly string[]) => guard(roots, findRepositories(roots).repositories)
const IDENTITY = ['-c', 'user.name=Test', '-c', 'user.email=test@example.com', '-c', 'protocol.file.allow=always']

describe.skipIf(missing !== null)('what a session may not change in its project', () => {
  let scene: ReturnType<typeof makeScene>
  const git = (folder: string, ...args: string[]) => execFileSync('git', [...IDENTITY, '-C', folder, ...args], { encoding: 'utf8' })
  beforeEach(() => {
    scene = makeScene()
    initRepository(scene.project)
  })
  afterEach(() => rmSync(scene.folder, { recursive: true, force: true }))

  /** As a session does: guard, run, release. */
  const session = async (script: string, cwd = scene.project) => {
    const guarded = guardFiles([cwd])
    try {
      const env = { PATH: '/usr/bin:/bin', HOME: '/home/agent', GIT_AUTHOR_NAME: 'A', GIT_AUTHOR_EMAIL: 'a@b', GIT_COMMITTER_NAME: 'A', GIT_COMMITTER_EMAIL: 'a@b' }
      return await runToEnd(provider, scene.spec(script, { env, cwd, writable: [cwd, ...guarded.writable], readable: guarded.readable }))
    } finally {
      guarded.release()
    }
  }
  const through = (lines: readonly string[]): string =>
    lines.map((line) => `if (${line}) >/dev/null 2>&1; then echo 'got through: ${line.replaceAll("'", '"')}'; fi`).join('\n')
  const canary = () => path.join(scene.folder, 'ran')
  /** A folder that looks like git's, whose settings run a command at every git status. */
  const evil = (folder: string) =>
    `git init -q --bare ${folder}; git -C ${folder} config core.fsmonitor 'touch ${canary()}; false'; git -C ${folder} config core.worktree "$PWD"; git -C ${folder} config core.bare false`
  const userRunsGit = (folder = scene.project) => spawnSync('git', ['-C', folder, 'status'], { env: { PATH: process.env['PATH'] } })

  test('the attack works where nothing is guarded, or this file would prove nothing', async () => {
    await runToEnd(provider, scene.spec(`${evil('evil')}; printf '../evil\\n' > .git/commondir`))
    userRunsGit()
    expect(existsSync(canary())).toBe(true)
  })

  test('a planted commondir does not lead git of the user to the agent’s settings', async () => {
    const attacks = ["printf '../evil\\n' > .git/commondir", 'rm .git/commondir', 'mv .git/commondir x', 'ln -sf ../evil .git/commondir', 'mv .git old']
    const { stdout } = await session(`${evil('evil')}\n${through(attacks)}\necho tried`)
    expect(stdout).toBe('tried\n')
    userRunsGit()
    expect(existsSync(canary())).toBe(false)
    expect(existsSync(path.join(scene.project, '.git/commondir'))).toBe(false)
  })

  test('hooks and settings stay, also where hooks were missing and worktree settings are on', async () => {
    rmSync(path.join(scene.project, '.git/hooks'), { recursive: true })
    git(scene.project, 'config', 'extensions.worktreeConfig', 'true')
    const before = readFileSync(path.join(scene.project, '.git/config'), 'utf8')
    const attacks = ['mkdir -p .git/hooks/x', 'echo x > .git/hooks/pre-commit', 'echo x >> .git/config', 'git config core.fsmonitor x', 'echo x > .git/config.worktree', 'git config --worktree core.fsmonitor x']
    expect((await session(`${through(attacks)}\necho tried`)).stdout).toBe('tried\n')
    expect(readFileSync(path.join(scene.project, '.git/config'), 'utf8')).toBe(before)
    expect(existsSync(path.join(scene.project, '.git/config.worktree'))).toBe(false)
  })

  test('a .git file cannot be turned elsewhere, and a linked working tree works all the same', async () => {
    const linked = path.join(scene.folder, 'linked')
    git(scene.project, 'worktree', 'add', '-q', linked)
    const attacks = ["printf 'gitdir: evil\\n' > .git", 'rm .git', 'mv .git x']
    const { stdout, stderr } = await session(`${through(attacks)}\necho 1 > made && git add made && git commit -qm 'By the agent' && git log -1 --format=%s`, linked)
    expect(stderr).toBe('')
    expect(stdout).toBe('By the agent\n')
    expect(git(linked, 'log', '-1', '--format=%s')).toBe('By the agent\n')
    const common = path.join(scene.project, '.git')
    const inCommon = [`echo x >> ${common}/config`, `echo x > ${common}/hooks/pre-commit`, `echo x > ${common}/commondir`, `echo ../.. > ${common}/worktrees/linked/commondir`]
    expect((await session(`${through(inCommon)}\necho tried`, linked)).stdout).toBe('tried\n')
    expect((await session(`ls ${scene.project}`, linked)).stdout).toBe('')
  })

  test('a .git file that leads to a folder which does not lead back opens nothing', async () => {
    const other = path.join(scene.folder, 'other')
    const secret = path.join(scene.folder, 'secret')
    for (const folder of [other, secret, path.join(secret, 'objects')]) mkdirSync(folder)
    writeFileSync(path.join(secret, 'HEAD'), 'ref: refs/heads/main\n')
    writeFileSync(path.join(secret, 'key'), 'canary')
    writeFileSync(path.join(other, '.git'), `gitdir: ${secret}\n`)
    expect((await session(`cat ${secret}/key`, other)).stdout).toBe('')
  })

  test('a submodule and a nested repository are guarded as the project is', async () => {
    const library = path.join(scene.folder, 'library')
    mkdirSync(library)
    initRepository(library)
    git(scene.project, 'submodule', '--quiet', 'add', library, 'sub/library')
    const nested = path.join(scene.project, 'tools/nested')
    mkdirSync(nested, { recursive: true })
    initRepository(nested)
    const modules = '.git/modules/sub/library'
    expect((await session('cd sub/library && echo 1 > a && git add a && git commit -qm x && git log --oneline | wc -l')).stdout).toBe('2\n')
    const attacks = [
      ...[`echo x >> ${modules}/config`, `echo x > ${modules}/hooks/pre-commit`, `echo x > ${modules}/commondir`, 'mv .git/modules x'],
      ...["printf 'gitdir: ../../evil\\n' > sub/library/.git", 'mv sub/library/.git x', 'mv sub x'],
      ...['echo x >> tools/nested/.git/config', 'echo x > tools/nested/.git/commondir', 'mv tools x'],
    ]
    expect((await session(`${through(attacks)}\necho tried`)).stdout).toBe('tried\n')
    expect(existsSync(path.join(nested, '.git/commondir'))).toBe(false)
  })

  test('the packs of its history stay as they are, under every name that they have', async () => {
    git(scene.project, 'gc', '-q')
    const clone = path.join(scene.folder, 'clone')
    execFileSync('git', ['clone', '-q', '--no-checkout', scene.project, clone])
    const packs = path.join(scene.project, '.git/objects/pack')
    const attacks = ['chmod u+w .git/objects/pack/*.pack', ': > "$(ls .git/objects/pack/*.pack)"', 'ln .git/objects/pack/*.pack other && : > other', 'rm -f .git/objects/pack/*.pack', 'mv .git/objects/pack/*.idx x']
    const { stdout } = await session(`${through(attacks)}\n${through(['mv .git/objects/pack x'])}\necho tried`)
    expect(stdout).toBe('tried\n')
    expect(readdirSync(packs).filter((name) => /\.(pack|idx)$/.test(name))).toHaveLength(2)
    for (const folder of [scene.project, clone]) expect(git(folder, 'fsck', '--full')).toBe('')
  })

  test('packages that other projects share by hard links are named, and no others', () => {
    const files = ['store/file', 'project/node_modules/a/index.js', 'project/src/b/index.js', 'project/.venv/lib/python3/site-packages/c/__init__.py'].map((name) => path.join(scene.folder, name))
    for (const file of files) mkdirSync(path.dirname(file), { recursive: true })
    for (const file of files.slice(0, 2)) writeFileSync(file, '')
    linkSync(files[0] ?? '', files[2] ?? '')
    const named = () => linkedPackages(findRepositories([scene.project]).folders)
    expect(named()).toBeNull()
    linkSync(files[0] ?? '', files[3] ?? '')
    expect(named()).toBe(path.join(scene.project, '.venv/lib/python3/site-packages'))
  })

  test.each([
    ['.githooks', '.githooks', '.githooks/pre-commit'],
    ['.husky/_', '.husky', '.husky/pre-commit'],
  ])('hooks that the project keeps itself stay, where its settings lead to %s', async (hooksPath, folder, hook) => {
    mkdirSync(path.join(scene.project, hooksPath), { recursive: true })
    git(scene.project, 'config', 'core.hooksPath', hooksPath)
    git(scene.project, 'config', 'include.path', '../.gitconfig')
    for (const file of [hook, '.gitconfig']) writeFileSync(path.join(scene.project, file), '')
    const attacks = [`echo x >> ${hook}`, `echo x > ${hooksPath}/post-checkout`, `mv ${folder} x`, `rm ${hook}`, 'echo x >> .gitconfig', 'mv .gitconfig x']
    expect((await session(`${through(attacks)}\necho tried`)).stdout).toBe('tried\n')
  })

  test('git works as ever: commit, branch, stash, rebase, worktree', async () => {
    git(scene.project, 'gc', '-q')
    const { stdout, stderr } = await session(
      [
        ...['set -e', 'echo 1 > a', 'git add a', 'git commit -qm 1', 'git switch -qc topic', 'echo 2 > a', 'git stash -q', 'git stash pop -q', 'git commit -qam 2'],
        ...['git switch -q -', 'echo 3 > b', 'git add b', 'git commit -qm 3', 'git rebase -q topic', 'git log --format=%s | tr "\\n" " "', 'git fsck --no-dangling', 'git gc -q', 'git status --porcelain'],
      ].join('\n'),
    )
    expect(stderr).toBe('')
    expect(stdout).toBe('3 2 1 Start ')
  })

  test('shell start-up files and Holdfast’s own files stay as they are', async () => {
    const files = ['.envrc', '.bashrc', '.mcp.json', 'holdfast.yaml']
    for (const file of files) writeFileSync(path.join(scene.project, file), 'mine')
    const { stdout } = await session(`${through(files.flatMap((file) => [`echo x > ${file}`, `mv ${file} x`, `rm ${file}`]))}\necho tried`)
    expect(stdout).toBe('tried\n')
  })

  test('two sessions in one project share the stand-in, which goes with the last', () => {
    const standIn = path.join(scene.project, '.git/commondir')
    const [first, second] = [guardFiles([scene.project]), guardFiles([scene.project])]
    first.release()
    first.release()
    expect(readFileSync(standIn, 'utf8')).toBe('.\n')
    second.release()
    expect(existsSync(standIn)).toBe(false)
  })

  test('a stand-in that a killed host left behind goes at the next session’s end', () => {
    const standIn = path.join(scene.project, '.git/commondir')
    writeFileSync(standIn, '.\n')
    guardFiles([scene.project]).release()
    expect(existsSync(standIn)).toBe(false)
  })

  test('a .git that is a symbolic link is refused, as the agent could replace it', async () => {
    const away = path.join(scene.folder, 'away')
    execFileSync('mv', [path.join(scene.project, '.git'), away])
    symlinkSync(away, path.join(scene.project, '.git'))
    await expect(session('true')).rejects.toMatchObject({ code: 'container-unavailable' })
  })
})
