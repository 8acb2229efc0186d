import { realpath, stat } from 'node:fs/promises'
import { dirname, isAbsolute } from 'node:path'
import { HoldfastError } from '../contract/errors.ts'
import { findTool } from './containers/tools.ts'
import { readPlainFile } from './plain-file.ts'

const STICKY = 0o1000
const WRITABLE_BY_GROUP = 0o020
const WRITABLE_BY_ALL = 0o002
const LARGEST_LIST_BYTES = 4 * 1024 * 1024

const rows = (file: string): string[][] => (readPlainFile(file, LARGEST_LIST_BYTES) ?? '').split('\n').map((line) => line.split(':'))

/** The group's name, where somebody else than this user and root is in it by /etc/group and /etc/passwd; else null. */
const groupOfOthers = (gid: number): string | null => {
  if (gid === 0) return null
  const users = rows('/etc/passwd')
  const own = users.find(([, , uid]) => Number(uid) === process.getuid?.())?.[0]
  const [name = String(gid), , , members = ''] = rows('/etc/group').find((row) => Number(row[2]) === gid) ?? []
  const all = [...members.split(',').filter(Boolean), ...users.flatMap(([user, , , primary]) => (Number(primary) === gid ? [user ?? ''] : []))]
  return all.some((user) => user !== own && user !== 'root') ? name : null
}

/** A file, or a folder on the way to it, through which others than this user and root decide what a program is. */
export interface Doubt {
  readonly at: string
  /** `null` for every user of the machine. */
  readonly who: string | null
}

/** Who else can change the program that `file` is, links followed; the widest first. Empty when nobody can, and where there are no such rights. */
export const doubtsAbout = async (file: string): Promise<readonly Doubt[]> => {
  if (process.getuid === undefined) return []
  const doubts: Doubt[] = []
  for (let at = await realpath(file), isFolder = false; ; at = dirname(at), isFolder = true) {
    const { mode, uid, gid } = await stat(at)
    // In a folder like /tmp each may rename and remove their own files alone.
    const isOpen = !isFolder || (mode & STICKY) === 0
    const group = (mode & WRITABLE_BY_GROUP) !== 0 ? groupOfOthers(gid) : null
    if (isOpen && (mode & WRITABLE_BY_ALL) !== 0) doubts.unshift({ at, who: null })
    else if (isOpen && group !== null) doubts.push({ at, who: `members of the group ${group}` })
    if (uid !== 0 && uid !== process.getuid()) doubts.push({ at, who: `the user with the id ${uid}` })
    if (at === dirname(at)) return doubts
  }
}

/** Throws HoldfastError `agent-refused` for a program that any user of this machine can change; in words, who else can. */
export const requireTrusted = async (file: string): Promise<readonly string[]> => {
  const doubts = await doubtsAbout(file)
  const open = doubts.find(({ who }) => who === null)
  if (open !== undefined) {
    throw new HoldfastError('agent-refused', `Every user of this machine can change ${open.at}: ${file} could be anything. Take that away with: chmod o-w ${open.at}`)
  }
  return doubts.map(({ at, who }) => `${file} is run as you, and ${who} can change it (by ${at}).`)
}

/** Programs that a package brings along, such as npm puts first for its scripts: an agent may have changed those of its project. */
const isOfPackage = (folder: string): boolean => folder.split('/').includes('node_modules')

/**
 * git as Holdfast itself runs it, absolute: the system's, or else one on the PATH that lies in no package and at no
 * relative place, where an agent could have put its own. null when there is none.
 */
export const findGit = (path: string): string | null =>
  findTool('git') ?? findTool('git', path.split(':').filter((folder) => isAbsolute(folder) && !isOfPackage(folder)))
