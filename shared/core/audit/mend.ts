import { createHash } from 'node:crypto'
import { chmod, mkdir, readdir, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { HoldfastError } from '../../contract/errors.ts'
import type { SecretSpan } from '../../domain/audit/finding.ts'
import { changedLines, removeFromJson } from '../../domain/audit/mend-text.ts'
import { createRedactor, REDACTED } from '../../domain/redact.ts'
import { asFileFault } from '../file-fault.ts'
import { writeWhole } from '../whole-file.ts'
import type { LocatedFinding } from './audit.ts'

/** What --fix would do to one file. */
export interface PlannedMend {
  /** Where the bytes are: links are followed, and stay. */
  readonly file: string
  readonly before: Buffer
  readonly after: Buffer
  readonly mode: number
  readonly newMode: number
  /** For a person; secrets taken out. */
  readonly lines: readonly string[]
}

const Manifest = z.strictObject({
  files: z.array(z.strictObject({ file: z.string(), kept: z.string(), mode: z.number().int(), newMode: z.number().int(), sha256: z.string() })).max(10_000),
})

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')
const octal = (mode: number): string => mode.toString(8).padStart(3, '0')

/** What mending these findings would change, file by file. Changes nothing. */
export const planMends = async (findings: readonly LocatedFinding[], scan: (path: string, text: string) => Promise<readonly SecretSpan[]>): Promise<PlannedMend[]> => {
  const plans: PlannedMend[] = []
  const files = new Set(findings.filter(({ mend }) => mend !== null).map(({ file }) => file))
  for (const path of files) {
    if (path === null) continue
    const mends = findings.filter((finding) => finding.file === path).flatMap(({ mend }) => mend ?? [])
    const file = await realpath(path)
    const before = await readFile(file)
    const text = before.toString('utf8')
    const after = Buffer.from(removeFromJson(text, mends.flatMap((mend) => (mend.kind === 'remove' ? [mend.path] : []))))
    const mode = (await stat(file)).mode & 0o777
    const newMode = mends.some(({ kind }) => kind === 'close') ? 0o600 : mode
    const secrets = (await scan(file, text)).map(({ start, end }) => text.slice(start, end))
    const redact = createRedactor(secrets)
    const lines = changedLines(redact(text).text, redact(after.toString('utf8')).text).map((line) => line.replace(/((?:token|secret|passw\w*|key|authorization)["']?\s*[:=]\s*["']?)[^"',\s]{6,}/gi, `$1${REDACTED}`))
    plans.push({ file, before, after, mode, newMode, lines: [...(mode === newMode ? [] : [`permissions ${octal(mode)} → ${octal(newMode)}`]), ...lines] })
  }
  return plans
}

const put = async (file: string, bytes: Buffer, mode: number): Promise<void> => {
  const aside = `${file}.holdfast-new`
  try {
    await writeFile(aside, bytes, { mode, flag: 'wx', flush: true })
    await chmod(aside, mode)
    await rename(aside, file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') await rm(aside, { force: true })
    throw asFileFault(file, error)
  }
}

/**
 * Makes the changes, after keeping every file as it was below `backups`. Gives the id that undoes them. A file that was
 * changed since it was looked at is refused, before anything is written: HoldfastError `illegal-state`.
 */
export const applyMends = async (plans: readonly PlannedMend[], backups: string, now: number): Promise<string> => {
  const id = new Date(now).toISOString().replaceAll(/[-:]|\.\d+/g, '')
  const folder = join(backups, id)
  for (const { file, before } of plans) {
    if (!(await readFile(file)).equals(before)) throw new HoldfastError('illegal-state', `${file} was changed meanwhile; nothing was written. Run it again.`)
  }
  await mkdir(backups, { recursive: true, mode: 0o700 })
  await mkdir(folder, { mode: 0o700 })
  const files = []
  for (const [index, { file, before, after, mode, newMode }] of plans.entries()) {
    await writeFile(join(folder, String(index)), before, { mode: 0o600, flush: true })
    files.push({ file, kept: String(index), mode, newMode, sha256: sha256(after) })
  }
  writeWhole(join(folder, 'manifest.json'), JSON.stringify({ files }))
  for (const { file, after, newMode } of plans) await put(file, after, newMode)
  return id
}

/**
 * Puts back, byte for byte, what a fix changed: the one named, or the latest. A file that was changed since stays, and is
 * named in `left`. Throws HoldfastError `nothing-to-undo`.
 */
export const undoMends = async (backups: string, id: string | undefined): Promise<{ id: string; restored: string[]; left: string[] }> => {
  const known = (await readdir(backups).catch(() => [])).filter((name) => /^\d{8}T\d{6}Z$/.test(name)).sort()
  const chosen = id === undefined ? known.at(-1) : known.find((name) => name === id)
  if (chosen === undefined) throw new HoldfastError('nothing-to-undo', id === undefined ? 'No fix was made that could be undone.' : `There is no fix "${id.slice(0, 100)}" to undo.`)
  const folder = join(backups, chosen)
  const { files } = Manifest.parse(JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8')))
  const [restored, left]: [string[], string[]] = [[], []]
  for (const { file, kept, mode, sha256: written } of files) {
    const [now, old] = [await readFile(file).catch(() => Buffer.alloc(0)), await readFile(join(folder, kept))]
    if (!now.equals(old) && sha256(now) !== written) left.push(file)
    else {
      await put(file, old, mode)
      restored.push(file)
    }
  }
  if (left.length === 0) await rm(folder, { recursive: true })
  return { id: chosen, restored, left }
}
