import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { ProfileListing } from '../../contract/schemas/profile.ts'
import { parseProfileText } from '../../domain/profile-text.ts'
import { readProfileText } from './read-profile-file.ts'

/** As many as an answer can hold. */
const MAX_PROFILES = 100
const MAX_SHOWN_CHARACTERS = 65_536

const EXTENSION = '.yaml'

const hashOf = (text: string | null): string | null => (text === null ? null : createHash('sha256').update(text).digest('hex'))

const shown = (text: string | null): string | null => text?.slice(0, MAX_SHOWN_CHARACTERS) ?? null

/** The user's profiles by name, with what is wrong with each. A folder that is not there holds none. */
export const listProfiles = async (folder: string): Promise<ProfileListing[]> => {
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith(EXTENSION)).toSorted().slice(0, MAX_PROFILES)
  return Promise.all(
    names.map(async (file): Promise<ProfileListing> => {
      const path = join(folder, file)
      const name = file.slice(0, -EXTENSION.length)
      let text: string | null = null
      try {
        text = await readProfileText(path)
        const agent = text === null ? null : (parseProfileText(path, 'user', text).profile.agent ?? null)
        return { name, path, agent, text: shown(text), hash: hashOf(text), problem: null }
      } catch (error) {
        return { name, path, agent: null, text: shown(text), hash: hashOf(text), problem: error instanceof Error ? error.message : String(error) }
      }
    }),
  )
}
