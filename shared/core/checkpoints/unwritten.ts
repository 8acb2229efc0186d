import { lstatSync } from 'node:fs'
import { isGitPath } from '../../domain/checkpoint-plan.ts'
import { isCutOf } from '../../domain/cut-text.ts'
import { toNative } from './byte-path.ts'
import type { Project } from './project.ts'
import type { Touched } from './snapshot.ts'

/** Which files were written from within containers, as the kernel reports it. */
export interface WriteRecord {
  /** Stands for this moment; null where nothing is recorded. */
  cut(): Promise<number | null>
  /**
   * Of the files, at byte paths, those that no container can have written since a `cut`: nothing in one wrote them, or
   * has them open to be written now. What is not known is not among them, nor is what is another file by now. Changes
   * that open no file are not seen: truncate(2), names, permissions.
   */
  unwritten<File extends { readonly path: string; readonly dev: number; readonly ino: number }>(since: number, files: readonly File[]): Promise<readonly File[]>
}

/** A moment of a record of writes. */
export interface Cut {
  readonly number: number
  /** Milliseconds since 1970, and how far that clock was from one that nobody sets. */
  readonly at: number
  readonly clockOffset: number
}

export const NO_RECORD: WriteRecord = { cut: async () => null, unwritten: async () => [] }

/** A clock that was moved by more in between tells nothing of what came first. */
const MAX_DRIFT_MS = 1_000
/** A file's time is that of the kernel's last tick before. */
const TICK_MS = 10
/** Files whose text is compared, and the longest of them. */
const MAX_COMPARED = 200
const MAX_BYTES = 8 * 1024 * 1024

export const momentOf = async (writes: WriteRecord): Promise<Cut | null> => {
  const at = Date.now()
  const number = await writes.cut()
  return number === null ? null : { number, at, clockOffset: at - performance.now() }
}

interface Candidate {
  readonly path: string
  readonly dev: number
  readonly ino: number
  readonly touched: Touched
  /** Whether it is the very file that was known there. */
  readonly isSame: boolean
}

/**
 * Stored paths of the touched files that no session changed since the last look, where that is certain. The file must not
 * have been written by one, and be either the very file that was known there, or one that was made since then: else a
 * session, whose renames are not reported, may have put it there. For the same reason nothing that git keeps is told of,
 * no link, no file with two names, and none that is empty: a file can be made empty without being opened, or cut short
 * (truncate(2)), or have its permissions changed.
 */
export const findUnwritten = async (params: { project: Project; writes: WriteRecord; touched: readonly Touched[] }): Promise<string[]> => {
  const { project, writes, touched } = params
  const since = project.lastCut
  if (since === null || touched.length === 0) return []
  const drift = Math.abs(Date.now() - performance.now() - since.clockOffset)
  if (drift > MAX_DRIFT_MS) return []
  const candidates = touched.flatMap((one) => candidateOf(one, since.at + drift + TICK_MS) ?? [])
  const unwritten = await writes.unwritten(since.number, candidates)
  const certain: string[] = []
  let compared = 0
  for (const { touched: one, isSame } of unwritten) {
    if (isSame && ((compared += 1) > MAX_COMPARED || (await isCut(project, one)))) continue
    certain.push(one.file.path)
  }
  return certain
}

const candidateOf = (touched: Touched, bornAfter: number): Candidate | null => {
  const { file, before } = touched
  if (isGitPath(file.path) || file.mode === '120000' || file.size === 0) return null
  const [dev, ino] = file.identity.split(':').map(Number) as [number, number]
  const isKnown = before?.signature.split(':')[3] === String(ino)
  if (isKnown && (before?.mode !== file.mode || before.permissions !== file.permissions)) return null
  const stat = lstatSync(toNative(file.real), { throwIfNoEntry: false })
  if (stat?.ino !== ino || stat.nlink !== 1) return null
  if (!isKnown && stat.birthtimeMs < bornAfter) return null
  return { path: file.real, dev, ino, touched, isSame: isKnown }
}

/** Whether the text may be what truncate(2) made of the one before; true where that is not known. */
const isCut = async (project: Project, { file, oid, before }: Touched): Promise<boolean> => {
  if (before === undefined || file.size > MAX_BYTES) return true
  let bytes = 0
  const textOf = async (of: string): Promise<Buffer> => {
    const chunks: Buffer[] = []
    const onOutput = (chunk: Buffer): void => {
      if ((bytes += chunk.length) > 2 * MAX_BYTES) throw new Error('too long')
      chunks.push(chunk)
    }
    await project.run({ args: ['cat-file', 'blob', of], env: project.withMirror(), onOutput })
    return Buffer.concat(chunks)
  }
  try {
    return isCutOf(await textOf(before.oid), await textOf(oid))
  } catch {
    return true
  }
}
