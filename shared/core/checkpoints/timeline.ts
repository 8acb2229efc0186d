import { appendFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { SessionId } from '../../contract/ids.ts'
import { isGitPath, permissionChanges, type Extras } from '../../domain/checkpoint-plan.ts'
import { whoChanged, type Interval, type WhoChanged } from '../../domain/who-changed.ts'
import type { Open } from './activity.ts'
import { differencesOfPairs, type KeptState } from './differences.ts'
import { writeWhole } from '../whole-file.ts'
import { areaFolders, gitHomes, realPath, type Areas } from './layout.ts'
import type { ObjectLists } from './object-mirror.ts'
import type { Project } from './project.ts'
import { isSameIndex, readRefs } from './refs.ts'
import type { CheckpointRecord } from './records.ts'
import type { Snapshot } from './snapshot.ts'
import { findUnwritten, type WriteRecord } from './unwritten.ts'

/** A look at a tree that found it other than the look before. */
const Look = z.object({
  moment: z.number().int().nonnegative(),
  tree: z.string(),
  extras: z.string(),
  /** Names of the areas looked at. */
  areas: z.array(z.string()),
  writers: z.array(
    z.object({ sessionId: SessionId, folders: z.array(z.string()), reach: z.array(z.string()).nullable().optional(), idleAt: z.array(z.string()).optional() }),
  ),
  others: z.boolean(),
  /** Stored paths that no session wrote since the look before. */
  unwritten: z.array(z.string()).optional(),
  /** Stored paths that differ from the look before: written down once the trees may go. */
  changed: z.array(z.string()).optional(),
  /** Stored paths that a restore had set just before: nobody's change. */
  restored: z.array(z.string()).optional(),
})
export type Look = z.infer<typeof Look>

const fileOf = (project: Project): string => join(project.folder, 'looks.jsonl')

/** All looks at the project's tree, oldest first. A line torn by a crash is none: nothing was built upon it. */
export const readLooks = (project: Project): Look[] => {
  let text: string
  try {
    text = readFileSync(fileOf(project), 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
  return text.split('\n').flatMap((line) => {
    try {
      return [Look.parse(JSON.parse(line))]
    } catch {
      return []
    }
  })
}

/** Who could have changed what since the last look, with what is known of the files that it found changed. */
export const refine = async (params: {
  project: Project
  open: Open
  touched: Snapshot['touched']
  wasIdle: (sessionId: SessionId, changedAt: number) => boolean
  writes: WriteRecord
}): Promise<Pick<Look, 'writers' | 'others' | 'unwritten'>> => {
  const { project, open, touched, wasIdle, writes } = params
  if (open.writers.length === 0) return open
  const writers = open.writers.map((writer) => {
    const idleAt = touched.flatMap(({ file }) => (wasIdle(writer.sessionId, file.changedAt) ? [file.path] : []))
    return idleAt.length === 0 ? writer : { ...writer, idleAt }
  })
  const unwritten = await findUnwritten({ project, writes, touched })
  return { writers, others: open.others, ...(unwritten.length === 0 ? {} : { unwritten }) }
}

/** Writes a look down, and returns its moment. One that found nothing new has the moment of the look before. */
export const addLook = (project: Project, state: KeptState, open: Pick<Look, 'writers' | 'others' | 'restored' | 'unwritten'>): number => {
  const last = project.lastLook ?? readLooks(project).at(-1) ?? null
  if (last !== null && last.tree === state.tree && last.extras === state.extras) {
    project.lastLook = last
    return last.moment
  }
  const { tree, extras } = state
  const look: Look = { moment: (last?.moment ?? -1) + 1, tree, extras, areas: [...areaFolders(state.areas).keys()], ...open }
  appendFileSync(fileOf(project), `\n${JSON.stringify(look)}\n`, { mode: 0o600 })
  project.lastLook = look
  return look.moment
}

/** Forgets the looks before a moment, and writes down what the others tell, so that their trees may go too. */
export const keepLooksFrom = async (project: Project, moment: number): Promise<Look[]> => {
  const looks = await withChanges(project, readLooks(project).filter((look) => look.moment >= moment))
  writeWhole(fileOf(project), looks.map((look) => `${JSON.stringify(look)}\n`).join(''))
  return looks
}

/** The looks, each with what changed since the one before; the first with nothing. */
const withChanges = async (project: Project, looks: readonly Look[]): Promise<(Look & { changed: string[] })[]> => {
  const pairs = looks.slice(1).flatMap((to, index) => (to.changed === undefined ? [{ from: looks[index] as Look, to }] : []))
  const changes = await differencesOfPairs(project, pairs.map(({ from, to }) => [from.tree, to.tree]))
  const computed = new Map<Look, string[]>()
  for (const [index, { from, to }] of pairs.entries()) {
    const [before, after] = [project.manifest<Extras>(from.extras), project.manifest<Extras>(to.extras)]
    const changed = permissionChanges(before, after)
    changed.push(...before.empty.filter((path) => !after.empty.includes(path)), ...after.empty.filter((path) => !before.empty.includes(path)))
    for (const { path, from: was, to: is } of changes[index] ?? []) {
      const isIndex = isGitPath(path) && path.endsWith('/index') && was !== null && is !== null
      if (!isIndex || !(await isSameIndex(project, was.oid, is.oid))) changed.push(path)
    }
    const inBoth = (path: string): boolean => [from, to].every(({ areas }) => areas.includes(path.split('/', 1)[0] ?? ''))
    computed.set(to, changed.filter(inBoth))
  }
  return looks.map((look) => ({ ...look, changed: look.changed ?? computed.get(look) ?? [] }))
}

/** Who changed what between two checkpoints of a session. */
export const attribute = async (project: Project, since: CheckpointRecord, until: { moment: number } & KeptState): Promise<WhoChanged> => {
  const { sessionId } = since.shown
  const looks = readLooks(project).filter(({ moment }) => moment >= since.moment && moment <= until.moment)
  const isMineAlone = ({ writers, others, unwritten }: Look): boolean => !others && unwritten === undefined && writers.every((writer) => writer.sessionId === sessionId && writer.reach == null && writer.idleAt === undefined)
  if (looks.slice(1).every(isMineAlone)) return { alone: new Set(), shared: new Set() }
  const own = await ownBranches(project, since, until)
  const intervals = (await withChanges(project, looks)).slice(1)
  return whoChanged({
    sessionId,
    intervals: intervals.map(({ restored, ...look }): Interval<SessionId> => {
      const set = new Set(restored)
      return { ...look, changed: look.changed.filter((path) => isIn(until.areas, path) && !set.has(path)) }
    }),
    realPath: (stored) => realPath(until.areas, stored),
    isOwn: (stored) => stored.startsWith('git/') || own.has(stored),
  })
}

const isIn = (areas: Areas, stored: string): boolean => areaFolders(areas).has(stored.split('/', 1)[0] ?? '')

/** The branches that the session's own working tree had checked out, with their logs, as stored paths. */
const ownBranches = async (project: Project, ...states: KeptState[]): Promise<ReadonlySet<string>> => {
  const own = new Set<string>()
  for (const state of states) {
    const homes = gitHomes(state.areas, Object.keys(project.manifest<ObjectLists>(state.objects)))
    if (homes === null) continue
    const head = /^ref: (refs\/heads\/.+)$/.exec((await readRefs(project, state.tree, homes)).get('HEAD') ?? '')?.[1]
    if (head !== undefined) own.add(`${homes.refs}/${head}`).add(`${homes.refs}/logs/${head}`)
  }
  return own
}
