import { constants } from 'node:fs'
import { open, rename, rm, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { HoldfastError } from '../../contract/errors.ts'
import { asFileFault } from '../file-fault.ts'
import { processStartTime } from '../process-info.ts'
import { ensurePrivateFolder } from './private-folder.ts'

const MAX_FILE_BYTES = 16 * 1024

/** Where the running host is found, and the proof that a client may talk to it. */
export const Endpoint = z.object({
  protocol: z.number().int(),
  pid: z.number().int().positive(),
  /** From processStartTime; null where the platform does not tell. */
  processStartTime: z.number().int().nonnegative().nullable(),
  socketPath: z.string().min(1).max(4_096),
  token: z.string().min(32).max(256),
})
export type Endpoint = z.infer<typeof Endpoint>

const fileIn = (folder: string): string => join(folder, 'endpoint.json')

/**
 * Makes the endpoint known: a file 0600 in a 0700 folder, written aside and renamed, so that no reader sees half of it.
 * Throws HoldfastError `unauthorised` when the folder is open to others, `disk-full` or `read-only` when it cannot be
 * written; then nothing is left behind.
 */
export const writeEndpoint = async (folder: string, endpoint: Endpoint): Promise<void> => {
  await ensurePrivateFolder(folder)
  const aside = `${fileIn(folder)}.${process.pid}`
  try {
    await rm(aside, { force: true })
    const file = await open(aside, 'wx', 0o600)
    try {
      await file.writeFile(JSON.stringify(endpoint))
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(aside, fileIn(folder))
  } catch (error) {
    await rm(aside, { force: true })
    throw asFileFault(fileIn(folder), error)
  }
}

const readPrivately = async (path: string): Promise<string | null> => {
  const file = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0)).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null
      if (error.code === 'ELOOP')
        throw new HoldfastError('unauthorised', `${path} is a link. Remove it and start the host again.`)
      throw error
    },
  )
  if (file === null) return null
  try {
    const { mode, uid, size } = await file.stat()
    const isMine = process.getuid === undefined || uid === process.getuid()
    if (!isMine || (process.platform !== 'win32' && (mode & 0o077) !== 0)) {
      throw new HoldfastError(
        'unauthorised',
        `${path} is not yours alone, so its token may be known. Remove it and restart the host.`,
      )
    }
    return size > MAX_FILE_BYTES ? '' : await file.readFile('utf8')
  } finally {
    await file.close()
  }
}

const parse = (text: string): Endpoint | null => {
  try {
    return Endpoint.parse(JSON.parse(text))
  } catch {
    return null
  }
}

/**
 * The endpoint of a host that runs, or null: no file, one that makes no sense, or one of a process that has ended
 * (known by id and start time; where the platform does not tell, the attempt to connect does). A host that starts
 * replaces it.
 * Throws HoldfastError `unauthorised` when others could have read or written the file.
 */
export const readEndpoint = async (folder: string): Promise<Endpoint | null> => {
  const text = await readPrivately(fileIn(folder))
  const endpoint = text === null ? null : parse(text)
  if (endpoint === null || endpoint.processStartTime === null) return endpoint
  return processStartTime(endpoint.pid) === endpoint.processStartTime ? endpoint : null
}

/** Takes the file away if it is this endpoint's; another host's stays. */
export const removeEndpoint = async (folder: string, endpoint: Endpoint): Promise<void> => {
  const text = await readPrivately(fileIn(folder))
  if (text !== null && parse(text)?.token === endpoint.token) await unlink(fileIn(folder))
}
