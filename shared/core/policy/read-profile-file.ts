import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { HoldfastError } from '../../contract/errors.ts'
import { invalidProfile as invalid, MAX_PROFILE_BYTES, parseProfileText, type ProfileOrigin, type ReadProfile } from '../../domain/profile-text.ts'

const codeOf = (error: unknown): string => (error instanceof Error && 'code' in error ? String(error.code) : '')

/**
 * The text of a regular file, or null when there is none. A symbolic link is refused unless `follow`; a pipe, a device
 * or a folder always. Throws HoldfastError `profile-invalid`.
 */
const readText = async (path: string, follow: boolean): Promise<string | null> => {
  let file
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | (follow ? 0 : constants.O_NOFOLLOW))
  } catch (error) {
    const code = codeOf(error)
    if (code === 'ENOENT' || code === 'ENOTDIR') return null
    if (code === 'ELOOP') throw invalid(path, null, '', 'is a symbolic link; put the file itself there')
    if (code === 'ENXIO') throw invalid(path, null, '', 'is not a file; put an ordinary one there')
    throw invalid(path, null, '', `cannot be read (${code}); check its permissions`)
  }
  try {
    const state = await file.stat()
    if (!state.isFile()) throw invalid(path, null, '', 'is not a file; put an ordinary one there')
    if (state.size > MAX_PROFILE_BYTES) throw invalid(path, null, '', `is larger than ${MAX_PROFILE_BYTES} bytes, which no such file needs`)
    const bytes = await file.readFile()
    if (bytes.length > MAX_PROFILE_BYTES) throw invalid(path, null, '', `is larger than ${MAX_PROFILE_BYTES} bytes, which no such file needs`)
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    if (error instanceof HoldfastError) throw error
    if (error instanceof TypeError) throw invalid(path, null, '', 'is not UTF-8 text; save it as UTF-8')
    throw invalid(path, null, '', `cannot be read (${codeOf(error)})`)
  } finally {
    await file.close()
  }
}

/**
 * Reads one profile file; null when there is none. A project's file may not be a symbolic link, a user's may.
 * Throws HoldfastError `profile-invalid` with file, line, column, field and what would be valid.
 */
export const readProfileFile = async (path: string, origin: ProfileOrigin): Promise<ReadProfile | null> => {
  const text = await readText(path, origin !== 'project')
  return text === null ? null : parseProfileText(path, origin, text)
}

/** The text of a profile as it stands, or null when there is none. Throws HoldfastError `profile-invalid` when it cannot be read. */
export const readProfileText = (path: string, origin: 'user' | 'project' = 'user'): Promise<string | null> => readText(path, origin === 'user')
