import { readArguments } from '../classify/family.ts'
import { resolvePath } from '../classify/paths.ts'
import { isKnown } from '../classify/unknown.ts'

/** What a path stands for: itself, or with `*`, `?`, `[` or `{` in it whatever matches in the folder before that. */
export interface PathMeant {
  /** Absolute. */
  readonly path: string
  /** The rest of a path with stars in it, from the folder on; null when it is one path. */
  readonly pattern: string | null
}

const GLOB = /[*?[\]{}]/

/** The path that an operand means, from an absolute folder; null when it cannot be told, or is in a home that is not known. */
export const pathMeant = (operand: string, folder: string | null, home: string | undefined): PathMeant | null => {
  if (!isKnown(operand) || operand === '' || operand.length > 4_096 || (folder === null && !operand.startsWith('/'))) return null
  const names = operand.split('/')
  const at = names.findIndex((name) => GLOB.test(name))
  // What a star stands for may be a link: what lies above it then is anywhere.
  if (at !== -1 && names.slice(at).includes('..')) return null
  const plain = at === -1 ? operand : names.slice(0, at).join('/') || (operand.startsWith('/') ? '/' : '.')
  const path = resolvePath(plain, { projectFolder: folder, folder: folder ?? '/', home })
  if (!path.startsWith('/') || path.split('/').includes('..')) return null
  return { path: path === '' ? '/' : path, pattern: at === -1 ? null : names.slice(at).join('/') }
}

const NONE: ReadonlySet<string> = new Set()

/** The plain words of a command; null when one of its options is none of these. `-rf` is `-r` and `-f`. */
export const wordsWith = (args: readonly string[], options: string): readonly string[] | null => {
  const allowed = options.split(' ')
  const read = readArguments(args, NONE)
  const isAllowed = (option: string): boolean => allowed.includes(option) || (!option.startsWith('--') && [...option.slice(1)].every((letter) => allowed.includes(`-${letter}`)))
  return read.options.every(isAllowed) ? read.words : null
}

export const isWithin = (path: string, folder: string): boolean => path === folder || path.startsWith(folder === '/' ? '/' : `${folder}/`)
