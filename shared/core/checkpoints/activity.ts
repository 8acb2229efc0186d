import { join } from 'node:path'
import { z } from 'zod'
import { SessionId } from '../../contract/ids.ts'
import { isBelow, type Writer } from '../../domain/who-changed.ts'
import { readIfThere, writeWhole } from '../whole-file.ts'
import { areaFolders, SHARED_IN_COMMON, type Areas } from './layout.ts'

/** Paths, as bytes, of all that a session can change; null for everything in its folders. */
const Reach = z.array(z.string()).nullable().default(null)
const WriterFile = z.object({ sessionId: SessionId, folders: z.array(z.string()), reach: Reach })
const Open = z.object({ writers: z.array(WriterFile), others: z.boolean() })
/** Who could write to a tree since it was last looked at. */
export type Open = z.infer<typeof Open>

const ActivityFile = z.object({
  /** Sessions that run, and whether each can write just now. */
  sessions: z.record(z.string(), z.object({ folders: z.array(z.string()), active: z.boolean(), reach: Reach })),
  /** By project: the time since its last look. */
  open: z.record(z.string(), Open.extend({ folders: z.array(z.string()) })),
})

/** A session begins to write, or stops. */
export interface Change {
  readonly sessionId: SessionId
  readonly active: boolean
  readonly reach?: readonly string[] | null
}

/** The folders a session in these areas can write to; of a git folder shared with other worktrees, what belongs to all. */
export const foldersOf = (areas: Areas): string[] =>
  [...areaFolders(areas)].flatMap(([name, folder]) =>
    name === 'common' ? [...SHARED_IN_COMMON].map((shared) => `${folder}/${shared === 'logs' ? 'logs/refs' : shared}`) : [folder],
  )

/** Whether a folder of the one lies in, or above, a folder of the other. */
export const overlap = (a: readonly string[], b: readonly string[]): boolean => a.some((one) => b.some((other) => isBelow(one, other) || isBelow(other, one)))

/**
 * Keeps account of which sessions can write where, over all trees and across a restart of the host. A session is active
 * from its first checkpoint on, and until someone says otherwise.
 */
export const createActivity = (folder: string) => {
  const file = join(folder, 'activity.json')
  const load = (): z.infer<typeof ActivityFile> => {
    const text = readIfThere(file)
    return text === null ? { sessions: {}, open: {} } : ActivityFile.parse(JSON.parse(text))
  }
  let state: z.infer<typeof ActivityFile> | null = null
  const read = () => (state ??= load())
  const save = (): void => writeWhole(file, JSON.stringify(read()))

  const activeIn = (folders: readonly string[]): Writer<SessionId>[] =>
    Object.entries(read().sessions).flatMap(([id, session]) =>
      session.active && overlap(session.folders, folders) ? [{ sessionId: id as SessionId, folders: session.folders, reach: session.reach }] : [],
    )

  /** What it can change since the last look, with what it could before. */
  const widen = (open: Open, sessionId: SessionId, reach: readonly string[] | null): void => {
    for (const writer of open.writers) {
      if (writer.sessionId === sessionId) writer.reach = reach === null || writer.reach === null ? null : [...new Set([...writer.reach, ...reach])]
    }
  }

  const apply = (folders: string[], { sessionId, active, reach = null }: Change): void => {
    read().sessions[sessionId] = { folders, active, reach: reach === null ? null : [...reach] }
    for (const open of Object.values(read().open)) {
      if (!overlap(open.folders, folders)) continue
      const isKnown = open.writers.some((writer) => writer.sessionId === sessionId)
      if (active && isKnown) widen(open, sessionId, reach)
      else if (active) open.writers.push({ sessionId, folders, reach: reach === null ? null : [...reach] })
      if (activeIn(open.folders).length === 0) open.others = true
    }
  }

  return {
    /** Another process may have written the file since. */
    reload: (): void => void (state = null),

    /** True while the session can write. */
    isActive: (sessionId: SessionId): boolean => read().sessions[sessionId]?.active === true,

    /** Who could write to the project's tree since its last look. */
    openInterval(projectKey: string): Open {
      const open = read().open[projectKey]
      return open === undefined ? { writers: [], others: true } : { writers: open.writers, others: open.others }
    },

    /** A look at the project's tree was taken and written down; with it a session may have begun to write, or stopped. */
    startInterval(projectKey: string, areas: Areas, change: Change | null): void {
      const folders = foldersOf(areas)
      if (change !== null) apply(folders, change)
      const writers = activeIn(folders).map(({ sessionId, ...writer }) => ({ sessionId, folders: [...writer.folders], reach: writer.reach == null ? null : [...writer.reach] }))
      read().open[projectKey] = { folders, writers, others: writers.length === 0 }
      save()
    },

    /** A session that can write may change more, or other things, than so far. */
    setReach(change: Change): void {
      const session = read().sessions[change.sessionId]
      if (session !== undefined) apply(session.folders, change)
      save()
    },

    /** The same when no look could be taken: then what changed since the last one is of both. */
    startUnseen(areas: Areas, change: Change): void {
      const folders = foldersOf(areas)
      apply(folders, change)
      for (const open of Object.values(read().open)) if (overlap(open.folders, folders)) open.others = true
      save()
    },

    /** Sessions whose host died count for nothing from now on; until when they could write is not known. */
    forgetAllBut(isLive: (sessionId: SessionId) => boolean): void {
      for (const id of Object.keys(read().sessions)) if (!isLive(id as SessionId)) this.forget(id as SessionId)
    },

    /** The session is over. */
    forget(sessionId: SessionId): void {
      const { [sessionId]: gone, ...rest } = read().sessions
      read().sessions = rest
      if (gone === undefined) return
      for (const open of Object.values(read().open)) if (activeIn(open.folders).length === 0) open.others = true
      save()
    },
  }
}
export type Activity = ReturnType<typeof createActivity>
