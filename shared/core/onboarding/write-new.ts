import { constants } from 'node:fs'
import { mkdir, open, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { asFileFault } from '../file-fault.ts'

/** Whether something lies there, whatever it is; `same` when it is exactly this text. */
export const stateOfFile = async (path: string, text: string): Promise<'none' | 'same' | 'other'> => {
  try {
    return (await readFile(path, 'utf8')) === text ? 'same' : 'other'
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'none' : 'other'
  }
}

/** Writes a file that is not there yet, and to disk; never over or through anything. Throws HoldfastError for a full or closed disk. */
export const writeNew = async (path: string, text: string, mode: number): Promise<void> => {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    const file = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, mode)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
  } catch (error) {
    throw asFileFault(path, error)
  }
}
