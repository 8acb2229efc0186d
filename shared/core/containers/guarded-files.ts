import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { HoldfastError } from '../../contract/errors.ts'
import { pathsNamed } from '../../domain/git-settings.ts'
import { readPlainFile } from '../plain-file.ts'
import { isWithin } from './mount-plan.ts'
import { gitFileTarget, kindOf as kindAt, resolved } from './repositories.ts'

/** Files through which something runs later, outside the container, by the user's hand. */
export interface GuardedFiles {
  /** To be shown read-only. */
  readonly readable: readonly string[]
  /** Git's own folder of a linked working tree, which lies elsewhere: git inside needs it. */
  readonly writable: readonly string[]
  /** Folders of git whose settings and hooks stay as they are. */
  readonly repositories: readonly string[]
  /** Takes away what stood in for files that were missing. */
  release(): void
}

const OWN_FILES = ['.holdfast', 'holdfast.yaml', '.mcp.json']
const START_UP_FILES = [
  ...['.envrc', '.profile', '.bashrc', '.bash_profile', '.bash_login', '.bash_logout'],
  ...['.zshrc', '.zshenv', '.zprofile', '.zlogin', '.zlogout'],
]
/** More could not be shown read-only one by one: bubblewrap takes 9,000 arguments. */
const MAX_GUARDED = 1_500
const MODULE_DEPTH = 8
const PACK = /^pack-[0-9a-f]{40,64}\.(pack|idx|rev)$/
/** Longest file of git's that is read. */
const LARGEST_BYTES = 1024 * 1024

/**
 * What stands in for a missing `commondir`: the folder itself, which changes nothing. Without the file the agent could
 * write one, and every git command of the user's would read its settings from a folder of the agent's choice
 * (gitrepository-layout(5)).
 */
const COMMON_FOLDER_ITSELF = '.\n'

const kindOf = (file: string): 'folder' | 'file' | null => {
  const kind = kindAt(file)
  return kind === 'other' ? null : kind
}

const namesIn = (folder: string): string[] => {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

const textOf = (file: string): string => readPlainFile(file, LARGEST_BYTES) ?? ''

const pointedTo = (file: string): string | null => {
  const target = gitFileTarget(file, textOf(file))
  return target === null ? null : resolved(target)
}

/**
 * The folder that a `.git` file outside it leads to, with the one it shares with other working trees; null unless that
 * folder leads back, as git's own do: an agent may have written the file, to be shown a folder of its choice.
 */
const linkedFolders = (file: string): { own: string; common: string } | null => {
  const own = pointedTo(file)
  if (own === null || kindOf(own) !== 'folder') return null
  const back = textOf(path.join(own, 'gitdir')).trim()
  const share = textOf(path.join(own, 'commondir')).trim()
  if (back === '' || share === '' || resolved(path.resolve(own, back)) !== file) return null
  const common = resolved(path.resolve(own, share))
  const isGit = common !== null && kindOf(path.join(common, 'objects')) === 'folder' && textOf(path.join(common, 'HEAD')) !== ''
  return isGit && isWithin(own, path.join(common, 'worktrees')) ? { own, common } : null
}

/** What stands in for a missing file, and how many sessions it serves: it goes with the last of them. */
const standIns = new Map<string, { readonly text: string; sessions: number }>()

const isBare = (folder: string): boolean =>
  kindOf(path.join(folder, 'HEAD')) === 'file' && ['objects', 'refs'].every((name) => kindOf(path.join(folder, name)) === 'folder')

const exists = (file: string): boolean => kindAt(file) !== null

/** Does what the agent, being the same user, could do as well; where it may not, nothing has to stand there. */
const ifAllowed = (work: () => void): void => {
  try {
    work()
  } catch (error) {
    if (!['EACCES', 'EPERM', 'EROFS'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}

const holdStandIn = (file: string, text: string): void => {
  const known = standIns.get(file)
  if (known === undefined) standIns.set(file, { text, sessions: 1 })
  else known.sessions += 1
}

const releaseStandIn = (file: string): void => {
  const known = standIns.get(file)
  if (known === undefined || (known.sessions -= 1) > 0) return
  standIns.delete(file)
  if (kindOf(file) === 'file' && textOf(file) === known.text) rmSync(file, { force: true })
}

/**
 * The history itself: git never changes a pack, but an agent could empty one, and with it its other names, in a checkpoint
 * or in a clone that was made with hard links.
 */
const packsIn = (folder: string): string[] =>
  namesIn(path.join(folder, 'objects/pack')).filter((name) => PACK.test(name)).map((name) => path.join(folder, 'objects/pack', name))

/**
 * Guards what lies in the folders an agent may write: Holdfast's own files, shell start-up files, and of every git
 * repository found there the settings, hooks and pointers through which git runs commands, and the packs. A missing `hooks` is made,
 * as git does by default; a missing `commondir` or `config` has a stand-in until `release`. A repository that the agent
 * makes itself is not covered: see `watchRepositories`. Throws HoldfastError `container-unavailable` when there are too many.
 */
export const guardFiles = (roots: readonly string[], repositories: readonly string[]): GuardedFiles => {
  const readable = new Set<string>()
  const writable = new Set<string>()
  const held: string[] = []
  const guarded = new Set<string>()
  /** A link is listed too: a container refuses what it cannot keep in place. */
  const keep = (file: string): void => {
    if (exists(file)) readable.add(file)
  }
  const standIn = (file: string, text: string): void => {
    // One that a killed host has left counts as ours, and goes as well.
    const ours = standIns.has(file) || !exists(file) || (kindOf(file) === 'file' && textOf(file) === text)
    if (!ours) return
    ifAllowed(() => {
      if (!exists(file)) writeFileSync(file, text, { flag: 'wx' })
      holdStandIn(file, text)
      held.push(file)
    })
  }

  const guardFolder = (folder: string, depth: number): void => {
    guarded.add(folder)
    const hooks = path.join(folder, 'hooks')
    if (!exists(hooks)) ifAllowed(() => mkdirSync(hooks))
    standIn(path.join(folder, 'commondir'), COMMON_FOLDER_ITSELF)
    for (const name of ['config', 'config.worktree']) standIn(path.join(folder, name), '')
    for (const name of ['hooks', 'config', 'config.worktree', 'commondir']) keep(path.join(folder, name))
    guardNamed(folder)
    for (const name of namesIn(path.join(folder, 'worktrees'))) {
      standIn(path.join(folder, 'worktrees', name, 'config.worktree'), '')
      for (const file of ['commondir', 'gitdir', 'config.worktree']) keep(path.join(folder, 'worktrees', name, file))
    }
    guardModules(path.join(folder, 'modules'), depth)
  }

  /** Hooks and settings that lie in the project itself, where the repository's own settings lead. */
  const guardNamed = (folder: string): void => {
    const { hooks, settings } = pathsNamed(textOf(path.join(folder, 'config')))
    const keepWithin = (file: string): void => {
      if (roots.some((root) => isWithin(file, root) && file !== root)) keep(file)
    }
    for (const file of settings) keepWithin(path.resolve(folder, file))
    if (path.basename(folder) !== '.git') return
    for (const named of hooks) {
      const at = path.resolve(path.dirname(folder), named)
      // What husky has git run, `.husky/_`, runs what lies beside it.
      keepWithin(path.basename(at) === '_' ? path.dirname(at) : at)
    }
  }

  /** A submodule's folder has its name, which may hold slashes. */
  const guardModules = (folder: string, depth: number): void => {
    if (depth > MODULE_DEPTH) return
    for (const name of namesIn(folder)) {
      const inner = path.join(folder, name)
      if (kindOf(inner) !== 'folder') continue
      if (kindOf(path.join(inner, 'HEAD')) === 'file') guardFolder(inner, depth + 1)
      else guardModules(inner, depth + 1)
    }
  }

  for (const root of roots) {
    for (const name of [...OWN_FILES, ...START_UP_FILES]) if (kindOf(path.join(root, name)) !== null) keep(path.join(root, name))
  }
  for (const git of repositories) {
    if (path.basename(git) !== '.git') {
      if (!git.split('/').includes('.git') && isBare(git)) guardFolder(git, 0)
      continue
    }
    if (kindOf(git) === 'folder') guardFolder(git, 0)
    else keep(git)
    const linked = roots.includes(path.dirname(git)) ? linkedFolders(git) : null
    if (linked === null) continue
    writable.add(linked.common)
    guardFolder(linked.common, 0)
  }
  const settings = readable.size
  for (const pack of [...guarded].flatMap(packsIn)) if (readable.size < MAX_GUARDED) readable.add(pack)
  if (settings > MAX_GUARDED) {
    held.splice(0).forEach(releaseStandIn)
    throw new HoldfastError('container-unavailable', `There are too many git repositories in ${roots.join(', ')}: their settings cannot all be kept from the agent. Start it in one of them.`)
  }
  return {
    readable: [...readable],
    writable: [...writable],
    repositories: [...guarded],
    release: () => held.splice(0).forEach(releaseStandIn),
  }
}
