import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** What the shell remembers by itself. `hotkey` is the user's to change. Each is checked where it is used. */
export interface Settings {
  readonly hotkey?: unknown
  readonly dashboard?: unknown
  /** Whether a kill is heard. */
  readonly sound?: unknown
  /** Whether it was said that this desktop has no tray. */
  readonly saidNoTray?: unknown
  /** Where to look for a newer version, and the key that signs it; nothing is looked for without. */
  readonly updates?: unknown
}

/** Where a user finds them. */
export const settingsFile = (folder: string): string => join(folder, 'shell.json')

/** What is kept in the folder; nothing when there is no such file, or it makes no sense. */
export const readSettings = (folder: string): Settings => {
  try {
    const kept: unknown = JSON.parse(readFileSync(settingsFile(folder), 'utf8'))
    return typeof kept === 'object' && kept !== null ? kept : {}
  } catch {
    return {}
  }
}

/** Keeps what changed, whole or not at all, beside what is there; a disk that is full costs a window's place and nothing else. */
export const changeSettings = (folder: string, changes: Settings): void => {
  const aside = `${settingsFile(folder)}.new`
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    writeFileSync(aside, `${JSON.stringify({ ...readSettings(folder), ...changes }, null, 2)}\n`, { mode: 0o600 })
    renameSync(aside, settingsFile(folder))
  } catch {
    // Said by the host already, which writes all the time.
  }
}
