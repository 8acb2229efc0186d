/** Who stands in a commit or tag: `Name <email>`, and when, in seconds since 1970. */
export interface GitPerson {
  readonly who: string
  readonly at: number
}

/** What git asks to have signed: a commit or a tag, without a signature yet (gitformat-signature(5)). */
export type UnsignedGitObject =
  | { readonly kind: 'commit'; readonly author: GitPerson; readonly committer: GitPerson; readonly message: string }
  | { readonly kind: 'tag'; readonly tagger: GitPerson; readonly message: string }

const ID = '[0-9a-f]{40}(?:[0-9a-f]{24})?'
const PERSON = '([^<>\\n\\0]* <[^<>\\n\\0]*>) (\\d{1,12}) [+-]\\d{4}'
/** A signed tag that was merged stands in the commit whole: a line, and lines that go on with a space. */
const MERGED_TAG = `(?:mergetag [^\\n]*\\n(?: [^\\n]*\\n)+)*`
const COMMIT = new RegExp(`^tree ${ID}\\n(?:parent ${ID}\\n)*author ${PERSON}\\ncommitter ${PERSON}\\n${MERGED_TAG}\\n([^\\0]*)$`)
const TAG = new RegExp(`^object ${ID}\\ntype [a-z]+\\ntag [^\\n\\0]+\\ntagger ${PERSON}\\n\\n([^\\0]*)$`)

/** Reads a commit or tag of the plain kind; null for anything else, a header too many or out of its place included. */
export const parseGitObject = (text: string): UnsignedGitObject | null => {
  const commit = COMMIT.exec(text)
  if (commit !== null) {
    const [, author = '', authored, committer = '', committed, message = ''] = commit
    return { kind: 'commit', author: { who: author, at: Number(authored) }, committer: { who: committer, at: Number(committed) }, message }
  }
  const tag = TAG.exec(text)
  return tag === null ? null : { kind: 'tag', tagger: { who: tag[1] ?? '', at: Number(tag[2]) }, message: tag[3] ?? '' }
}

/** A commit as it was before it was signed: without that header, and the lines that go on with it. */
export const withoutSignature = (text: string): string => {
  const end = text.indexOf('\n\n') + 1
  return text.slice(0, end).replace(/^gpgsig(?:-sha256)? [^\n]*\n(?: [^\n]*\n)*/gm, '') + text.slice(end)
}

/** Whether the last paragraph of a message has this line: where git looks for trailers. */
export const hasTrailer = (message: string, trailer: string): boolean =>
  message.trimEnd().split(/\n\s*\n/).at(-1)?.split('\n').some((line) => line.trim() === trailer) === true

export const SESSION_TRAILER = 'Holdfast-Session'

/**
 * Why an agent may not have this signed as itself, or null when it may: it must stand in it as author and committer, and
 * a commit must name the session. With `isEarlierWork` another may stand as its author.
 */
export const refusalToSign = (
  object: UnsignedGitObject,
  { who, sessionId, isEarlierWork }: { readonly who: string; readonly sessionId: string; readonly isEarlierWork: boolean },
): string | null => {
  if (object.kind === 'tag') return object.tagger.who === who ? null : `the tagger is ${object.tagger.who}, and this session tags as ${who}`
  if (object.committer.who !== who) return `the committer is ${object.committer.who}, and this session commits as ${who}`
  if (object.author.who !== who && !isEarlierWork) {
    return `the author is ${object.author.who}, who made no such commit before this session; it commits as ${who} (git commit --amend --reset-author)`
  }
  const trailer = `${SESSION_TRAILER}: ${sessionId}`
  return hasTrailer(object.message, trailer) ? null : `its message does not end with the line "${trailer}"`
}
