/**
 * Who changed a path: told from looks at the tree, each with the sessions that could write since the look before.
 *
 * A path is the session's when it changed only between looks where that session alone could write; someone else's when it
 * changed only where the session could not; and of both in any other case. Two sessions that could write at once are told
 * apart by the folders each can reach, and by what is a working tree's own: its branch, its HEAD, its index.
 */

/** A session that could write, and the folders on disk that it could write to. */
export interface Writer<Session extends string = string> {
  readonly sessionId: Session
  readonly folders: readonly string[]
}

/** The time between two looks. */
export interface Interval<Session extends string = string> {
  readonly writers: readonly Writer<Session>[]
  /** True when at some moment of it no session could write: then the user may have. */
  readonly others: boolean
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

export const whoChanged = <Session extends string>(params: {
  sessionId: Session
  intervals: readonly Interval<Session>[]
  realPath: (stored: string) => string
  /** Paths that no other session's working tree has a claim to, though it could reach them. */
  isOwn: (stored: string) => boolean
}): WhoChanged => {
  const mine = new Set<string>()
  const theirs = new Set<string>()
  for (const { writers, others, changed } of params.intervals) {
    const isWriter = writers.some((writer) => writer.sessionId === params.sessionId)
    const rivals = writers.filter((writer) => writer.sessionId !== params.sessionId)
    for (const path of changed) {
      const isRivals = rivals.length > 0 && !params.isOwn(path) && rivals.some(({ folders }) => folders.some((folder) => isBelow(params.realPath(path), folder)))
      if (isWriter) mine.add(path)
      if (!isWriter || others || isRivals) theirs.add(path)
    }
  }
  return {
    alone: new Set([...theirs].filter((path) => !mine.has(path))),
    shared: new Set([...theirs].filter((path) => mine.has(path))),
  }
}
