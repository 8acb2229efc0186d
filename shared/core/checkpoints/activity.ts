import { join } from 'node:path'
import { z } from 'zod'
import { SessionId } from '../../contract/ids.ts'
import { isBelow, type Writer } from '../../domain/who-changed.ts'
import { readIfThere, writeWhole } from '../whole-file.ts'
import { areaFolders, SHARED_IN_COMMON, type Areas } from './layout.ts'

const WriterFile = z.object({ sessionId: SessionId, folders: z.array(z.string()) })
const Open = z.object({ writers: z.array(WriterFile), others: z.boolean() })
/** Who could write to a tree since it was last looked at. */
export type Open = z.infer<typeof Open>

const ActivityFile = z.object({
  /** Sessions that run, and whether each can write just now. */
  sessions: z.record(z.string(), z.object({ folders: z.array(z.string()), active: z.boolean() })),
  /** By project: the time since its last look. */
  open: z.record(z.string(), Open.extend({ folders: z.array(z.string()) })),
})

/** A session begins to write, or stops. */
interface Change {
  readonly sessionId: SessionId
  readonly active: boolean
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
      session.active && overlap(session.folders, folders) ? [{ sessionId: id as SessionId, folders: session.folders }] : [],
    )

  const apply = (folders: string[], { sessionId, active }: Change): void => {
    read().sessions[sessionId] = { folders, active }
    for (const open of Object.values(read().open)) {
      if (!overlap(open.folders, folders)) continue
      if (active && !open.writers.some((writer) => writer.sessionId === sessionId)) open.writers.push({ sessionId, folders })
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
      const writers = activeIn(folders).map((writer) => ({ ...writer, folders: [...writer.folders] }))
      read().open[projectKey] = { folders, writers, others: writers.length === 0 }
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
