import { appendFileSync } from 'node:fs'
import type { FileKind } from '../../domain/checkpoint-plan.ts'
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
  /** Ends what one look learned: lines after the last of these were torn by a crash. */
  | readonly ['t', string]

/**
 * What is known of a tree, in memory and in a file that each look adds a few lines to. Losing it costs time and nothing
 * else.
 */
export const createKnowledge = (file: string) => {
  let files = new Map<string, Known>()
  let folders = new Map<string, KnownFolder>()
  let tree: string | null = null
  let watchName: string | null = null
  let unwatched = 0
  let isLoaded = false
  let lines = 0

  const set = (path: string, known: Known | null): void => {
    unwatched += Number(known?.watched === false) - Number(files.get(path)?.watched === false)
    if (known === null) files.delete(path)
    else files.set(path, known)
  }

  const take = (line: Line): void => {
    if (line[0] === 'f') set(line[1], { signature: line[2], mode: line[3], permissions: line[4], oid: line[5], settled: (line[6] & 1) !== 0, watched: (line[6] & 2) !== 0 })
    else if (line[0] === 'g') set(line[1], null)
    else if (line[0] === 'd') folders.set(line[1], { signature: line[2], files: line[3], others: line[4] })
    else if (line[0] === 'w') watchName = line[1]
    else tree = line[1]
  }

  const load = (): void => {
    if (isLoaded) return
    isLoaded = true
    let pending: Line[] = []
    for (const text of (readIfThere(file) ?? '').split('\n')) {
      const line = parsed(text)
      if (line === null) continue
      pending.push(line)
      if (line[0] !== 't') continue
      pending.forEach(take)
      lines += pending.length
      pending = []
    }
  }

  const fileLine = (path: string, { signature, mode, permissions, oid, settled, watched }: Known): Line =>
    ['f', path, signature, mode, permissions, oid, Number(settled) + 2 * Number(watched)]
  const folderLine = (path: string, known: KnownFolder): Line => ['d', path, known.signature, known.files, known.others]
  const textOf = (all: readonly Line[]): string => all.map((line) => `${JSON.stringify(line)}\n`).join('')

  const rewrite = (): void => {
    const all: Line[] = [...[...files].map(([path, known]) => fileLine(path, known)), ...[...folders].map(([path, known]) => folderLine(path, known))]
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
      for (const [path, known] of files) if (known.watched !== paths.has(path)) set(path, { ...known, watched: paths.has(path) })
      rewrite()
    },

    tree(): string | null {
      load()
      return tree
    },
    files(): ReadonlyMap<string, Known> {
      load()
      return files
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

const parsed = (text: string): Line | null => {
  try {
    return JSON.parse(text) as Line
  } catch {
    return null
  }
}
