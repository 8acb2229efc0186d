import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { HoldfastError } from '../../contract/errors.ts'
import { asFileFault } from '../file-fault.ts'
import { writeWhole } from '../whole-file.ts'
import type { PlannedMend } from './plan-mends.ts'

/** What a fix needs beside the files. */
export interface MendDeps {
  /** Where files are kept as they were. */
  readonly backups: string
  readonly secrets: { readonly set: (item: string, value: string) => Promise<unknown>; readonly remove: (item: string) => Promise<unknown> }
  /** 32 bytes of the keychain that seal backups which hold a secret: else it would lie in plain text once more. */
  readonly backupKey: () => Promise<Buffer>
}

const Manifest = z.strictObject({
  files: z.array(z.strictObject({ file: z.string(), kept: z.string(), mode: z.number().int(), newMode: z.number().int(), sha256: z.string() })).max(10_000),
  sealed: z.boolean().default(false),
  /** Keychain items that the fix made. */
  items: z.array(z.string()).max(10_000).default([]),
  /** False while the fix is at work: what is found so was interrupted. */
  done: z.boolean().default(true),
})
type Manifest = z.infer<typeof Manifest>

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

const seal = (key: Buffer, bytes: Buffer): Buffer => {
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  return Buffer.concat([nonce, cipher.update(bytes), cipher.final(), cipher.getAuthTag()])
}

const unseal = (key: Buffer, sealed: Buffer): Buffer => {
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, 12))
    decipher.setAuthTag(sealed.subarray(-16))
    return Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()])
  } catch {
    throw new HoldfastError('secret-unavailable', 'The files as they were cannot be opened: the keychain has no longer the key that sealed them.')
  }
}

const asideOf = (file: string): string => `${file}.holdfast-new`

const put = async (file: string, bytes: Buffer, mode: number): Promise<void> => {
  const aside = asideOf(file)
  try {
    // Through the open file: an agent that works in this folder can put a link in the place of its name.
    const made = await open(aside, 'wx', mode)
    try {
      await made.writeFile(bytes)
      await made.chmod(mode)
      await made.sync()
    } finally {
      await made.close()
    }
    await rename(aside, file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') await rm(aside, { force: true })
    throw asFileFault(file, error)
  }
}

const manifestOf = async (folder: string): Promise<Manifest> => Manifest.parse(JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8')))
const foldersIn = async (backups: string): Promise<string[]> => (await readdir(backups).catch(() => [])).filter((name) => /^\d{8}T\d{6}Z$/.test(name)).sort()

/** One fix at a time: what another process has begun is not taken for interrupted. The lock ends with its process. */
const alone = async <Result>(backups: string, work: () => Promise<Result>): Promise<Result> => {
  // Loaded where something is changed alone: most looks change nothing.
  const { createProcessLock } = await import('../storage/process-lock.ts')
  const lock = createProcessLock(join(backups, 'lock'))
  await lock.acquire()
  try {
    return await work()
  } finally {
    lock.release()
  }
}

/** Puts back every file that is as the fix left it, or as it was; the others are named. */
const putBack = async (folder: string, { files, sealed }: Manifest, backupKey: MendDeps['backupKey']): Promise<{ restored: string[]; left: string[] }> => {
  const [restored, left]: [string[], string[]] = [[], []]
  const key = sealed ? await backupKey() : null
  for (const { file, kept, mode, newMode, sha256: written } of files) {
    const bytes = await readFile(join(folder, kept))
    const [now, old] = [await readFile(file).catch(() => Buffer.alloc(0)), key === null ? bytes : unseal(key, bytes)]
    if (!now.equals(old) && sha256(now) !== written) {
      left.push(file)
      continue
    }
    if (!now.equals(old) || mode !== newMode) await put(file, old, mode)
    restored.push(file)
  }
  return { restored, left }
}

/** Takes back a fix that did not come to its end: files and the keychain. */
const takeBack = async (folder: string, manifest: Manifest, { secrets, backupKey }: MendDeps): Promise<{ restored: string[]; left: string[] }> => {
  const result = await putBack(folder, manifest, backupKey)
  if (result.left.length > 0) {
    // Somebody wrote there meanwhile: what was kept stays, for them.
    writeWhole(join(folder, 'manifest.json'), JSON.stringify({ ...manifest, done: true }))
    return result
  }
  for (const item of manifest.items) await secrets.remove(item)
  await rm(folder, { recursive: true })
  return result
}

const apply = async (plans: readonly PlannedMend[], deps: MendDeps, now: number): Promise<string> => {
  const id = new Date(now).toISOString().replaceAll(/[-:]|\.\d+/g, '')
  const folder = join(deps.backups, id)
  for (const { file, before } of plans) {
    const now = await readFile(file).catch(() => null)
    if (now?.equals(before) !== true) throw new HoldfastError('illegal-state', `${file} was changed meanwhile; nothing was written. Run it again.`)
  }
  const keep = plans.flatMap((plan) => plan.keep)
  const key = keep.length > 0 ? await deps.backupKey() : null
  await mkdir(folder, { mode: 0o700 })
  const files: Manifest['files'] = []
  for (const [index, { file, before, after, mode, newMode }] of plans.entries()) {
    await writeFile(join(folder, String(index)), key === null ? before : seal(key, before), { mode: 0o600, flush: true })
    files.push({ file, kept: String(index), mode, newMode, sha256: sha256(after) })
  }
  const manifest: Manifest = { files, sealed: key !== null, items: keep.map(({ item }) => item), done: false }
  writeWhole(join(folder, 'manifest.json'), JSON.stringify(manifest))
  try {
    // The keychain has them before a file loses them.
    for (const { item, value } of keep) await deps.secrets.set(item, value)
    for (const { file, after, newMode } of plans) await put(file, after, newMode)
    writeWhole(join(folder, 'manifest.json'), JSON.stringify({ ...manifest, done: true }))
  } catch (error) {
    await takeBack(folder, manifest, deps)
    throw error
  }
  return id
}

/**
 * Makes the changes, after keeping every file as it was, and every secret in the keychain. Gives the id that undoes them.
 * All or none: what fails half-way is taken back, at once or, after a crash, by `recoverMends`. A file that was changed
 * since it was looked at is refused, before anything is written: HoldfastError `illegal-state`.
 */
export const applyMends = (plans: readonly PlannedMend[], deps: MendDeps, now: number): Promise<string> => alone(deps.backups, () => apply(plans, deps, now))

/** Folders of fixes that have not come to their end; null for the manifest where nothing was changed yet. */
const unfinished = async (backups: string): Promise<{ folder: string; manifest: Manifest | null }[]> => {
  const found: { folder: string; manifest: Manifest | null }[] = []
  for (const name of await foldersIn(backups)) {
    const folder = join(backups, name)
    const manifest = existsSync(join(folder, 'manifest.json')) ? await manifestOf(folder).catch(() => undefined) : null
    if (manifest === null || manifest?.done === false) found.push({ folder, manifest })
  }
  return found
}

/** Takes back every fix that was interrupted. Gives the files it put back. */
export const recoverMends = async (deps: MendDeps): Promise<string[]> => {
  if ((await unfinished(deps.backups)).length === 0) return []
  return alone(deps.backups, async () => {
    const restored: string[] = []
    for (const { folder, manifest } of await unfinished(deps.backups)) {
      if (manifest === null) {
        await rm(folder, { recursive: true })
        continue
      }
      // A file that was being written when its process ended.
      for (const { file } of manifest.files) await rm(asideOf(file), { force: true })
      restored.push(...(await takeBack(folder, manifest, deps)).restored)
    }
    return restored
  })
}

/**
 * Puts back, byte for byte, what a fix changed: the one named, or the latest. A file that was changed since stays, and is
 * named in `left`; the keychain keeps what it was given. Throws HoldfastError `nothing-to-undo`.
 */
export const undoMends = async ({ backups, backupKey }: Pick<MendDeps, 'backups' | 'backupKey'>, id: string | undefined): Promise<{ id: string; restored: string[]; left: string[]; items: string[] }> => {
  const known = await foldersIn(backups)
  const chosen = id === undefined ? known.at(-1) : known.find((name) => name === id)
  if (chosen === undefined) throw new HoldfastError('nothing-to-undo', id === undefined ? 'No fix was made that could be undone.' : `There is no fix "${id.slice(0, 100)}" to undo.`)
  const folder = join(backups, chosen)
  const manifest = await manifestOf(folder)
  const { restored, left } = await putBack(folder, manifest, backupKey)
  if (left.length === 0) await rm(folder, { recursive: true })
  return { id: chosen, restored, left, items: manifest.items }
}
