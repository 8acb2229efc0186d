import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** What the shell remembers by itself. `hotkey` is the user's to change; both are checked where they are used. */
export interface Settings {
  readonly hotkey?: unknown
  readonly dashboard?: unknown
}

const fileIn = (folder: string): string => join(folder, 'shell.json')

/** What is kept in the folder; nothing when there is no such file, or it makes no sense. */
export const readSettings = (folder: string): Settings => {
  try {
    const kept: unknown = JSON.parse(readFileSync(fileIn(folder), 'utf8'))
    return typeof kept === 'object' && kept !== null ? kept : {}
  } catch {
    return {}
  }
}

/** Keeps it, whole or not at all; a disk that is full costs a window's place and nothing else. */
export const writeSettings = (folder: string, settings: Settings): void => {
  const aside = `${fileIn(folder)}.new`
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    writeFileSync(aside, `${JSON.stringify(settings, null, 2)}\n`, { mode: 0o600 })
    renameSync(aside, fileIn(folder))
  } catch {
    // Said by the host already, which writes all the time.
  }
}
