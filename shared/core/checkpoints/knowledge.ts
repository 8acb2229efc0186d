import { appendFileSync } from 'node:fs'
import { defaultPermissions, type FileKind } from '../../domain/checkpoint-plan.ts'
import { readIfThere, writeWhole } from '../whole-file.ts'

/** What is known of a file's bytes since it was last read. */
export interface Known {
  readonly signature: string
  readonly mode: FileKind
  readonly permissions: number
  readonly oid: string
  /** False when the file had changed so shortly before that a second change could look the same. */
  readonly settled: boolean
  /** True when the watch index holds it as it is known here. */
  readonly watched: boolean
}

/** What a plain folder held when it was last read; good as long as its signature is. */
export interface KnownFolder {
  readonly signature: string
  /** Stored names of ordinary files: whoever watches them knows more without a look. */
  readonly files: readonly string[]
  /** Everything else in it, by its name on disk: looked at each time. */
  readonly others: readonly string[]
}

/** What one look found other than the last one; null for what is gone. */
export interface Learned {
  readonly tree: string
  readonly files: readonly (readonly [path: string, known: Known | null])[]
  readonly folders: readonly (readonly [path: string, known: KnownFolder])[]
}

type Line =
  | readonly ['f', string, string, FileKind, number, string, number]
  | readonly ['g', string]
  | readonly ['d', string, string, readonly string[], readonly string[]]
  | readonly ['w', string]
  /** A folder whose files are all watched, none with permissions out of the ordinary. */
  | readonly ['q', string]
  /** Ends what one look learned: lines after the last of these were torn by a crash. */
  | readonly ['t', string]

const knownOf = ([, , signature, mode, permissions, oid, marks]: Line & readonly ['f', ...unknown[]]): Known => ({
  signature, mode, permissions, oid, settled: (marks & 1) !== 0, watched: (marks & 2) !== 0,
})

const folderOf = (path: string): string => path.slice(0, path.lastIndexOf('/'))

/** What is known of files: of most a line of the file, taken apart once it is asked for. */
export interface KnownFiles {
  readonly size: number
  has(path: string): boolean
  get(path: string): Known | undefined
  keys(): Iterable<string>
  all(): Iterable<readonly [path: string, known: Known]>
}

/**
 * What is known of a tree, in memory and in a file that each look adds a few lines to. Losing it costs time and nothing
 * else.
 */
export const createKnowledge = (file: string) => {
  let files = new Map<string, Known | string>()
  /** Folders of which a `q` line holds. */
  let even = new Set<string>()
  let folders = new Map<string, KnownFolder>()
  let tree: string | null = null
  let watchName: string | null = null
  let unwatched = 0
  let isLoaded = false
  let lines = 0

  const isUnwatched = (known: Known | string | undefined): boolean =>
    known !== undefined && (typeof known === 'string' ? (known.charCodeAt(known.length - 2) & 2) === 0 : !known.watched)

  const set = (path: string, known: Known | string | null): void => {
    const last = files.get(path)
    unwatched += Number(isUnwatched(known ?? undefined)) - Number(isUnwatched(last))
    if (even.size > 0) even.delete(folderOf(path))
    if (known === null) files.delete(path)
    else files.set(path, known)
  }

  const get = (path: string): Known | undefined => {
    const known = files.get(path)
    if (typeof known !== 'string') return known
    const line = parsed(known)
    if (line?.[0] !== 'f') return void set(path, null)
    const taken = knownOf(line)
    files.set(path, taken)
    return taken
  }

  const known: KnownFiles = {
    get size() {
      return files.size
    },
    has: (path) => files.has(path),
    get,
    keys: () => files.keys(),
    *all() {
      for (const path of [...files.keys()]) {
        const one = get(path)
        if (one !== undefined) yield [path, one]
      }
    },
  }

  const take = (line: Line): void => {
    if (line[0] === 'f') set(line[1], knownOf(line))
    else if (line[0] === 'g') set(line[1], null)
    else if (line[0] === 'q') even.add(line[1])
    else if (line[0] === 'd') folders.set(line[1], { signature: line[2], files: line[3], others: line[4] })
    else if (line[0] === 'w') watchName = line[1]
    else tree = line[1]
  }

  const load = (): void => {
    if (isLoaded) return
    isLoaded = true
    let pending: string[] = []
    for (const text of (readIfThere(file) ?? '').split('\n')) {
      if (text === '') continue
      pending.push(text)
      if (!text.startsWith('["t"') || parsed(text) === null) continue
      pending.forEach(takeText)
      lines += pending.length
      pending = []
    }
  }

  const takeText = (text: string): void => {
    const end = text.startsWith(PLAIN_FILE) ? text.indexOf('"', PLAIN_FILE.length) : -1
    const path = text.slice(PLAIN_FILE.length, end)
    if (end !== -1 && !path.includes('\\') && /,[0-3]\]$/.test(text)) return set(path, text)
    const line = parsed(text)
    if (line !== null) take(line)
  }

  const fileLine = (path: string, { signature, mode, permissions, oid, settled, watched }: Known): Line =>
    ['f', path, signature, mode, permissions, oid, Number(settled) + 2 * Number(watched)]
  const folderLine = (path: string, known: KnownFolder): Line => ['d', path, known.signature, known.files, known.others]
  const textOf = (all: readonly Line[]): string => all.map((line) => `${JSON.stringify(line)}\n`).join('')

  const rewrite = (): void => {
    const all: Line[] = [...[...known.all()].map(([path, one]) => fileLine(path, one)), ...[...folders].map(([path, one]) => folderLine(path, one))]
    for (const folder of even) all.push(['q', folder])
    if (watchName !== null) all.push(['w', watchName])
    if (tree !== null) all.push(['t', tree])
    writeWhole(file, textOf(all))
    lines = all.length
  }

  return {
    /** The watch index that `watched` is about. */
    watchName(): string | null {
      load()
      return watchName
    },
    /** How many files are not watched. */
    unwatched(): number {
      load()
      return unwatched
    },
    /** From now on these files, and no others, are watched by the index of that name. */
    watch(name: string, paths: ReadonlySet<string>): void {
      load()
      watchName = name
      const uneven = new Set<string>()
      for (const [path, one] of known.all()) {
        const watched = paths.has(path)
        if (one.watched !== watched) set(path, { ...one, watched })
        if (!watched || one.permissions !== defaultPermissions(one.mode)) uneven.add(folderOf(path))
      }
      even = new Set([...folders.keys()].filter((folder) => !uneven.has(folder)))
      rewrite()
    },
    /** Whether all files of the folder are watched, none with permissions out of the ordinary, as was seen when the watch began. */
    isEven(folder: string): boolean {
      load()
      return even.has(folder)
    },

    tree(): string | null {
      load()
      return tree
    },
    files(): KnownFiles {
      load()
      return known
    },
    folders(): ReadonlyMap<string, KnownFolder> {
      load()
      return folders
    },

    learn(learned: Learned): void {
      load()
      const added: Line[] = [
        ...learned.files.map(([path, known]): Line => (known === null ? ['g', path] : fileLine(path, known))),
        ...learned.folders.map(([path, known]) => folderLine(path, known)),
        ['t', learned.tree],
      ]
      added.forEach(take)
      lines += added.length
      if (lines > 2 * (files.size + folders.size) + 1_000) rewrite()
      else appendFileSync(file, `\n${textOf(added)}`, { mode: 0o600 })
    },

    forget(): void {
      files = new Map()
      even = new Set()
      folders = new Map()
      tree = null
      watchName = null
      unwatched = 0
      lines = 0
      isLoaded = true
      writeWhole(file, '')
    },
  }
}
export type Knowledge = ReturnType<typeof createKnowledge>

/** How the line of a file begins. */
const PLAIN_FILE = '["f","'

const parsed = (text: string): Line | null => {
  try {
    return JSON.parse(text) as Line
  } catch {
    return null
  }
}
