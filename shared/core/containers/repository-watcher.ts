import { watch, type FSWatcher } from 'node:fs'
import path from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { keyOf, leadsTo } from './planted-links.ts'
import { findRepositories, holdRepository, isRepository, kindOf, leadsAway, lookInto, MAX_FOLDERS, removeLink, whatRuns, type KnownGround } from './repositories.ts'
import type { FromWatcher, Planted, PlantedLink, ToWatcher } from './repository-watch.ts'

/** Folders that come during a session, and are watched as well. */
const MAX_NEW_FOLDERS = 5_000
const MAX_NEW_REPOSITORIES = 300
/**
 * Changes in one turn after which all is searched anew: the kernel drops what is more than its queue holds (16,384 by
 * default, inotify(7)), without a word to us, and so much at once would otherwise keep this thread reading for ever.
 */
const FLOOD = 8_000
const AFTER_FLOOD_MS = 250

/** What, when it changes, may make a repository run something. */
const TELLING = new Set(['.git', 'HEAD', 'objects', 'commondir', 'gitdir', 'config', 'config.worktree', 'hooks'])

const port = parentPort
const { roots, unwatched: listed } = workerData as Pick<KnownGround, 'roots' | 'unwatched'>
const unwatched = listed.map((folder) => leadsTo(folder) ?? folder)
if (port === null) throw new Error('this runs as a thread of the host')
const tell = (message: FromWatcher): void => port.postMessage(message)

let ground: KnownGround = { roots, unwatched, guarded: new Set() }
let known: ReadonlySet<string> = new Set()
let knownLinks: ReadonlySet<string> = new Set()
let limit = MAX_FOLDERS
let isLimitTold = false
const watchers = new Map<string, FSWatcher>()
const came = new Set<string>()
const cameLinks = new Set<string>()
/** What changed since the last look, and whether it came, went or was replaced. */
const touched = new Map<string, boolean>()
let changes = 0
let isDue = false

const tellLimit = (reason: string): void => {
  if (!isLimitTold) tell({ type: 'limited', reason })
  isLimitTold = true
}

/** Ends the watch of folders that are gone from where they were, with all that lay in them. */
const forget = (gone: ReadonlySet<string>): void => {
  for (const [folder, watcher] of watchers) {
    let at = folder
    while (at !== path.dirname(at) && !gone.has(at)) at = path.dirname(at)
    if (!gone.has(at)) continue
    watcher.close()
    watchers.delete(folder)
  }
}

const watchFolder = (folder: string): void => {
  watchers.get(folder)?.close()
  try {
    const watcher = watch(folder, { persistent: false }, (event, name) => changed(event === 'rename', name === null ? folder : path.join(folder, name)))
    watcher.on('error', () => forget(new Set([folder])))
    watchers.set(folder, watcher)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ENOENT' && code !== 'ENOTDIR') tellLimit(code === 'ENOSPC' ? 'the system allows no more watches (fs.inotify.max_user_watches)' : String(code))
  }
}

const notice = ({ repositories, links }: Pick<ReturnType<typeof lookInto>, 'repositories' | 'links'>): void => {
  for (const repository of repositories) if (!known.has(repository)) came.add(repository)
  for (const link of links) if (!knownLinks.has(keyOf(link))) cameLinks.add(link)
}

/** Watched first and read then, so that nothing comes in between. */
const enter = (folder: string): void => {
  const next = [folder]
  for (let one = next.pop(); one !== undefined; one = next.pop()) {
    if (watchers.size >= limit) return tellLimit(`there are more than ${limit} folders`)
    watchFolder(one)
    const { below, ...look } = lookInto(one)
    next.push(...below)
    notice(look)
  }
}

const judge = (): (Planted | PlantedLink)[] => {
  const planted: (Planted | PlantedLink)[] = []
  for (const link of cameLinks) {
    const target = leadsAway(link, ground)
    if (target !== null) planted.push({ link, target, isRemoved: removeLink(link, roots) })
  }
  cameLinks.clear()
  for (const repository of came) {
    if (!isRepository(repository)) {
      came.delete(repository)
      continue
    }
    const runs = came.size > MAX_NEW_REPOSITORIES ? [`more than ${MAX_NEW_REPOSITORIES} new repositories`] : whatRuns(repository, ground)
    if (runs.length === 0) continue
    const aside = holdRepository(repository, roots)
    // One that is gone all the same was put aside by the watch of another session.
    if (aside !== null || isRepository(repository)) planted.push({ repository, runs, aside })
  }
  return planted
}

const tellPlanted = (): void => {
  const planted = judge()
  if (planted.length > 0) tell({ type: 'planted', planted })
}

const settle = (): void => {
  isDue = false
  if (changes > FLOOD) return void setTimeout(beginAnew, AFTER_FLOOD_MS)
  changes = 0
  const replaced = [...touched].flatMap(([file, isReplaced]) => (isReplaced ? [file] : []))
  const gone = new Set(replaced.filter((file) => watchers.has(file)))
  if (gone.size > 0) forget(gone)
  let isTelling = false
  for (const file of replaced) {
    const kind = kindOf(file)
    if (kind === 'folder') enter(file)
    // A link may also be what a .git file leads through.
    else if (kind === 'other') cameLinks.add(file)
    else continue
    isTelling = true
  }
  for (const file of touched.keys()) {
    const folder = path.dirname(file)
    if (!TELLING.has(path.basename(file)) && path.basename(folder) !== 'hooks') continue
    isTelling = true
    notice({ ...lookInto(folder), links: [] })
  }
  touched.clear()
  if (isTelling) tellPlanted()
}

const changed = (isReplaced: boolean, file: string): void => {
  changes += 1
  if (changes > FLOOD) {
    // Ends this turn: with nobody watching the kernel has nothing more to tell.
    for (const watcher of watchers.values()) watcher.close()
    watchers.clear()
    touched.clear()
  } else touched.set(file, isReplaced || touched.get(file) === true)
  if (!isDue) setImmediate(settle)
  isDue = true
}

const beginAnew = (): void => {
  changes = 0
  for (const root of roots) enter(root)
  tellPlanted()
}

port.on('message', (message: ToWatcher) => {
  if (message.type === 'sweep') {
    notice(findRepositories(roots, limit))
    tell({ type: 'swept', planted: judge() })
    return
  }
  ground = { roots, unwatched, guarded: new Set(message.guarded) }
})

const { links, ...found } = findRepositories(roots)
known = new Set(found.repositories)
knownLinks = new Set(links.map(keyOf))
for (const folder of found.folders) watchFolder(folder)
limit = watchers.size + MAX_NEW_FOLDERS
tell({ type: 'found', found })
