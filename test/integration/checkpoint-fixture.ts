import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CheckpointId, SessionId, formatId } from '../../shared/contract/ids.ts'
import { createCheckpointStore } from '../../shared/core/checkpoints/create-checkpoint-store.ts'
import type { WriteRecord } from '../../shared/core/checkpoints/unwritten.ts'
import type { Limits } from '../../shared/core/checkpoints/walk.ts'

export const SESSION = SessionId.parse('ses_222222222222')
export const OTHER_SESSION = SessionId.parse('ses_333333333333')

/** A scratch folder that is gone at the end. */
export const createScratch = (on = tmpdir()) => {
  const folder = realpathSync(mkdtempSync(join(on, 'holdfast-checkpoint-')))
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) }
}

export const openStore = (folder: string, limits?: Limits, wasIdle?: (sessionId: SessionId, changedAt: number) => boolean, writes?: WriteRecord) =>
  createCheckpointStore({
    folder,
    clock: { now: () => 1_700_000_000_000 },
    ids: { checkpoint: () => CheckpointId.parse(formatId('chk', randomBytes(12))) },
    ...(limits === undefined ? {} : { limits }),
    ...(wasIdle === undefined ? {} : { wasIdle }),
    ...(writes === undefined ? {} : { writes }),
  })

const identity = { name: 'Test', email: 'test@example.invalid' }

/** Runs git in a folder as a user would, without that user's configuration; never refreshes the index by looking. */
export const gitIn = (folder: string, ...args: string[]): string =>
  execFileSync('git', args, {
    cwd: folder,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'] ?? '/usr/bin:/bin',
      HOME: '/nonexistent',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_CONFIG_COUNT: '3',
      GIT_CONFIG_KEY_0: 'protocol.file.allow',
      GIT_CONFIG_VALUE_0: 'always',
      GIT_CONFIG_KEY_1: 'gc.auto',
      GIT_CONFIG_VALUE_1: '0',
      GIT_CONFIG_KEY_2: 'advice.detachedHead',
      GIT_CONFIG_VALUE_2: 'false',
      GIT_OPTIONAL_LOCKS: '0',
      GIT_EDITOR: 'true',
      GIT_AUTHOR_NAME: identity.name,
      GIT_AUTHOR_EMAIL: identity.email,
      GIT_COMMITTER_NAME: identity.name,
      GIT_COMMITTER_EMAIL: identity.email,
    },
  })

export const createRepository = (folder: string): void => {
  mkdirSync(folder, { recursive: true })
  gitIn(folder, 'init', '--quiet', '--initial-branch=main')
}

/**
 * Everything below a folder, path by path: kind, permissions, contents. Of git folders all but the objects, whose
 * presence `gitView` proves. `skip` names folders that no checkpoint keeps.
 */
export const filesBelow = (folder: string, skip: readonly string[] = []): Record<string, string> => {
  const found: Record<string, string> = {}
  const read = (path: Buffer, shown: string): void => {
    const stat = lstatSync(path)
    const mode = (stat.mode & 0o7777).toString(8)
    if (stat.isSymbolicLink()) found[shown] = `link ${readlinkSync(path, 'latin1')}`
    else if (stat.isFile()) found[shown] = `file ${mode} ${createHash('sha1').update(readFileSync(path)).digest('hex')}`
    else if (!stat.isDirectory()) found[shown] = 'special'
    else {
      found[shown] = `folder ${mode}`
      for (const name of readdirSync(path, 'latin1')) {
        const isObjects = name === 'objects' && /(^|\/)\.git(\/|$)/.test(shown)
        if (!isObjects && !skip.includes(name)) read(Buffer.concat([path, Buffer.from(`/${name}`, 'latin1')]), shown === '' ? name : `${shown}/${name}`)
      }
    }
  }
  read(Buffer.from(folder), '')
  return found
}

/** What git says of a repository, and that every object its refs and logs reach is there. What no checkpoint keeps is not news as untracked either. */
const gitView = (folder: string, skip: readonly string[]): string =>
  [
    gitIn(folder, 'status', '--porcelain=v2', '--branch', '-z').split('\0').filter((line) => !skip.some((name) => line === `? ${name}`)).join('\0'),
    gitIn(folder, 'stash', 'list'),
    gitIn(folder, 'rev-list', '--objects', '--all', '--reflog', '--count'),
  ].join('\n')

/** Files byte for byte (refs and index among them) and what git makes of them. */
export const stateOf = (folder: string, skip: readonly string[] = []) => ({ files: filesBelow(folder, skip), git: gitView(folder, skip) })

/** A repository with a first commit, its store, and short ways to work on it. */
export const createProject = () => {
  const scratch = createScratch()
  const root = join(scratch.folder, 'project')
  const store = openStore(join(scratch.folder, 'store'))
  const file = (path: string): string => join(root, path)
  const write = (path: string, text: string | Buffer): void => {
    mkdirSync(join(file(path), '..'), { recursive: true })
    writeFileSync(file(path), text)
  }
  const commit = (message: string): void => {
    gitIn(root, 'add', '-A')
    gitIn(root, 'commit', '-q', '-m', message)
  }
  createRepository(root)
  write('tracked.txt', 'tracked\n')
  write('src/deep/code.ts', 'code\n')
  write('.gitignore', 'node_modules\nbuild\n.env\n*.log\n')
  commit('first')
  return { scratch, root, store, file, write, commit }
}
