import { lstatSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { HoldfastError } from '../../contract/errors.ts'
import type { FileSide } from '../../contract/schemas/checkpoint.ts'
import { toNative } from './byte-path.ts'
import { holdFolders } from './held-folders.ts'
import { realPath, storedPath, type Areas } from './layout.ts'
import type { Project } from './project.ts'
import { readPlain } from './read-plain.ts'
import type { CheckpointRecord } from './records.ts'

/** Longest text that is shown, in bytes. */
const MAX_TEXT_BYTES = 512 * 1024

const sideOf = (bytes: Buffer): FileSide => {
  if (bytes.includes(0)) return { hidden: 'binary' }
  try {
    return { text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes) }
  } catch {
    return { hidden: 'binary' }
  }
}

/** The text of a stored path in a kept tree; null when it is not there. */
const keptText = async (project: Project, tree: string, stored: string): Promise<FileSide> => {
  const [listed = ''] = (await project.run({ args: ['ls-tree', '-z', '-l', tree, '--', stored], env: project.withMirror() })).split('\0')
  const [mode, type, oid = '', size] = (listed.split('\t')[0] ?? '').split(/\s+/)
  if (listed === '') return null
  if (mode === '120000') return { hidden: 'a link' }
  if (type !== 'blob') return { hidden: 'not a file' }
  if (Number(size) > MAX_TEXT_BYTES) return { hidden: 'too long' }
  return sideOf(Buffer.from(await project.run({ args: ['cat-file', 'blob', oid], env: project.withMirror() }), 'latin1'))
}

/** The text of a stored path as it is now; never what lies behind a link, on the way or at its end. */
const presentText = (areas: Areas, stored: string): FileSide => {
  const held = holdFolders()
  try {
    const path = held.find(realPath(areas, stored))
    return path === null ? null : textAt(path)
  } finally {
    held.close()
  }
}

const textAt = (path: string): FileSide => {
  const stat = lstatSync(toNative(path), { throwIfNoEntry: false })
  if (stat === undefined) return null
  if (stat.isSymbolicLink()) return { hidden: 'a link' }
  if (!stat.isFile()) return { hidden: 'not a file' }
  if (stat.size > MAX_TEXT_BYTES) return { hidden: 'too long' }
  const bytes = readPlain(path, MAX_TEXT_BYTES)
  return bytes === null ? { hidden: 'not a file' } : sideOf(Buffer.from(bytes, 'latin1'))
}

/**
 * A file's text in one checkpoint and in a later one, or now (null). Throws HoldfastError `not-found` for a text that did not
 * change: that is none of a page's business.
 */
export const bothTexts = async (project: Project, from: CheckpointRecord, to: CheckpointRecord | null, path: string): Promise<{ before: FileSide; after: FileSide }> => {
  const stored = storedPath(from.areas, path)
  const before = await keptText(project, from.tree, stored)
  const after = to === null ? presentText(from.areas, stored) : await keptText(project, to.tree, stored)
  if (isDeepStrictEqual(before, after) && before !== null && 'text' in before) throw new HoldfastError('not-found', `${path} has not changed.`)
  return { before, after }
}
