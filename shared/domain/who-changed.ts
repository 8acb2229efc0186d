/**
 * Who changed a path: told from looks at the tree, each with the sessions that could write since the look before.
 *
 * A path is the session's when it changed only between looks where that session alone could write; someone else's when it
 * changed only where the session could not; and of both in any other case, as when its last change came while nothing of
 * the session ran. A file that no session is known to have written counts as someone else's whatever could. Two sessions
 * that could write at once are told apart by the folders each can reach, and by what is a working tree's own: its branch,
 * its HEAD, its index.
 */

/** A session that could write, the folders on disk that it could write to, and, where that is known, all in them that it could change. */
export interface Writer<Session extends string = string> {
  readonly sessionId: Session
  readonly folders: readonly string[]
  readonly reach?: readonly string[] | null | undefined
  /** Stored paths that changed last at a moment when nothing of the session ran. */
  readonly idleAt?: readonly string[] | undefined
}

/** The time between two looks. */
export interface Interval<Session extends string = string> {
  readonly writers: readonly Writer<Session>[]
  /** True when at some moment of it no session could write: then the user may have. */
  readonly others: boolean
  /** Stored paths that no session wrote. */
  readonly unwritten?: readonly string[] | undefined
  /** Stored paths that differ between the two looks. */
  readonly changed: readonly string[]
}

export interface WhoChanged {
  /** Changed by someone else alone. */
  readonly alone: ReadonlySet<string>
  /** Changed by the session and by someone else, or by one of them at a moment when either could. */
  readonly shared: ReadonlySet<string>
}

export const isBelow = (path: string, folder: string): boolean => path === folder || path.startsWith(folder === '/' ? '/' : `${folder}/`)

const isIn = (folders: readonly string[], path: string): boolean => folders.some((folder) => isBelow(path, folder))

/** With a file the folders above it, which may hold nothing else. */
const reaches = ({ reach }: Writer, path: string): boolean => reach == null || reach.some((one) => isBelow(path, one) || isBelow(one, path))

export const whoChanged = <Session extends string>(params: {
  sessionId: Session
  intervals: readonly Interval<Session>[]
  realPath: (stored: string) => string
  /** Paths that no other session's working tree has a claim to, though it could reach them. */
  isOwn: (stored: string) => boolean
}): WhoChanged => {
  const mine = new Set<string>()
  const theirs = new Set<string>()
  for (const { writers, others, unwritten, changed } of params.intervals) {
    const own = writers.find((writer) => writer.sessionId === params.sessionId)
    const rivals = writers.filter((writer) => writer.sessionId !== params.sessionId)
    const idleAt = new Set(own?.idleAt)
    const notSessions = new Set(unwritten)
    for (const path of changed) {
      const isMine = own !== undefined && !notSessions.has(path) && reaches(own, params.realPath(path))
      const isRivals = rivals.length > 0 && !params.isOwn(path) && rivals.some((rival) => isIn(rival.folders, params.realPath(path)) && reaches(rival, params.realPath(path)))
      if (isMine) mine.add(path)
      if (!isMine || others || isRivals || idleAt.has(path)) theirs.add(path)
    }
  }
  return {
    alone: new Set([...theirs].filter((path) => !mine.has(path))),
    shared: new Set([...theirs].filter((path) => mine.has(path))),
  }
}
