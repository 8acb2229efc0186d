import { createHash } from 'node:crypto'
import { closeSync, fsyncSync, lstatSync, openSync, renameSync, rmSync, writeSync, type BigIntStats } from 'node:fs'
import { join } from 'node:path'
import { toNative, toText } from './byte-path.ts'
import type { Git } from './git.ts'
import type { Known, Knowledge } from './knowledge.ts'

/** Below this many files the watch costs more than a look at each. */
const MIN_FILES = 500
/** Written anew once so large a part of what could be watched is not. */
const MAX_UNWATCHED = 0.05

const AREA = 'work/'
/** git takes no such name into an index. */
const GIT_NAME = /(^|\/)\.git~/i

/**
 * Lets git, which does it in C and in threads, say which files have not been touched: an index of Holdfast's own that
 * holds what lstat said of each settled file of the working tree, and `git diff-files`, which compares that with what
 * lstat says now, and reads no file. A file that changed is no longer watched until the index is written anew.
 */
export const createWatchIndex = (params: { folder: string; run: Git; knowledge: Knowledge }) => {
  const { folder, run, knowledge } = params
  const fileOf = (name: string): string => join(folder, `${name}.index`)

  return {
    /** The watched files that somebody touched: null when that cannot be told. */
    async touched(root: string): Promise<ReadonlySet<string> | null> {
      const name = knowledge.watchName()
      if (name === null) return null
      try {
        const env = { GIT_INDEX_FILE: fileOf(name), GIT_WORK_TREE: toText(root) }
        const fields = (await run({ args: [...CONFIG, 'diff-files', '--raw', '-z', '--no-renames'], env, cwd: root })).split('\0')
        return new Set(fields.flatMap((field, at) => (at % 2 === 1 ? [`${AREA}${field}`] : [])))
      } catch {
        return null
      }
    },

    /** Writes the index anew when too many of the files are not in it; true when it did. */
    renew(root: string): boolean {
      if (knowledge.unwatched() <= knowledge.files().size * MAX_UNWATCHED) return false
      const able = [...knowledge.files().all()].filter(([path, { settled }]) => settled && path.startsWith(AREA) && !GIT_NAME.test(path))
      const unwatched = able.reduce((count, [, { watched }]) => count + (watched ? 0 : 1), 0)
      if (able.length < MIN_FILES || unwatched <= able.length * MAX_UNWATCHED) return false
      const entries: Entry[] = []
      for (const [path, known] of able) {
        const name = path.slice(AREA.length)
        const stat = lstatSync(toNative(`${root}/${name}`), { throwIfNoEntry: false, bigint: true })
        if (stat !== undefined && isAs(stat, known)) entries.push({ path, name, stat, known })
      }
      const before = knowledge.watchName()
      const name = `watch-${before === 'watch-a' ? 'b' : 'a'}`
      writeIndex(fileOf(name), entries)
      knowledge.watch(name, new Set(entries.map(({ path }) => path)))
      if (before !== null) rmSync(fileOf(before), { force: true })
      return true
    },
  }
}
export type WatchIndex = ReturnType<typeof createWatchIndex>

/** Nothing but what lstat says may count, and nothing of the tree's may run. */
const CONFIG = [
  'core.bare=false', 'core.fileMode=true', 'core.symlinks=true', 'core.trustctime=true', 'core.checkStat=default', 'core.ignoreStat=false',
  'core.ignoreCase=false', 'core.precomposeUnicode=false', 'core.fsmonitor=false', 'core.untrackedCache=false', 'core.preloadIndex=true', 'core.sparseCheckout=false',
].flatMap((setting) => ['-c', setting])

interface Entry {
  readonly path: string
  readonly name: string
  readonly stat: BigIntStats
  readonly known: Known
}

/** The same signature, of the more exact numbers: those differ by a rounding. */
const isAs = (stat: BigIntStats, { signature }: Known): boolean => {
  const [size, modifiedMs, changedMs, inode, mode] = signature.split(':').map(Number)
  const isNear = (exact: bigint, ms: number | undefined): boolean => Math.abs(Number(exact) / 1e6 - (ms ?? NaN)) < 0.01
  return Number(stat.size) === size && Number(stat.ino) === inode && Number(stat.mode) === mode && isNear(stat.mtimeNs, modifiedMs) && isNear(stat.ctimeNs, changedMs)
}

const u32 = (value: bigint): number => Number(value & 0xffffffffn)
const BILLION = 1_000_000_000n

/** Writes an index of version 2: gitformat-index(5). */
const writeIndex = (file: string, entries: readonly Entry[]): void => {
  const sorted = entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const sizeOf = ({ name }: Entry): number => (62 + name.length + 8) & ~7
  const content = Buffer.alloc(12 + sorted.reduce((sum, entry) => sum + sizeOf(entry), 0))
  content.write('DIRC', 0, 'latin1')
  content.writeUInt32BE(2, 4)
  content.writeUInt32BE(sorted.length, 8)
  let at = 12
  for (const entry of sorted) {
    const { stat, known, name } = entry
    const words = [
      u32(stat.ctimeNs / BILLION), u32(stat.ctimeNs % BILLION), u32(stat.mtimeNs / BILLION), u32(stat.mtimeNs % BILLION),
      u32(stat.dev), u32(stat.ino), Number.parseInt(known.mode, 8), u32(stat.uid), u32(stat.gid), u32(stat.size),
    ]
    words.forEach((word, index) => content.writeUInt32BE(word, at + 4 * index))
    content.write(known.oid, at + 40, 'hex')
    content.writeUInt16BE(Math.min(name.length, 0xfff), at + 60)
    content.write(name, at + 62, 'latin1')
    at += sizeOf(entry)
  }
  const handle = openSync(`${file}.new`, 'w', 0o600)
  try {
    for (const part of [content, createHash('sha1').update(content).digest()]) for (let done = 0; done < part.length; ) done += writeSync(handle, part, done)
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
  renameSync(`${file}.new`, file)
}
