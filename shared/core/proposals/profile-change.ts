import { createHash } from 'node:crypto'
import { realpathSync } from 'node:fs'
import { join } from 'node:path'
import { HoldfastError } from '../../contract/errors.ts'
import { profileEffects } from '../../domain/profile-effects.ts'
import { MAX_PROFILE_BYTES, parseProfileText } from '../../domain/profile-text.ts'
import { asFileFault } from '../file-fault.ts'
import { readProfileText } from '../policy/read-profile-file.ts'
import type { Ledger } from '../ports.ts'
import { writeWhole } from '../whole-file.ts'
import type { ChangeKind } from './proposals.ts'

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

/** The profile as it stands, or null where it cannot be read: everything of the new one then counts as new. */
const parsed = (path: string, text: string | null) => {
  try {
    return text === null ? null : parseProfileText(path, 'user', text).profile
  } catch {
    return null
  }
}

/** Where a profile is kept: behind a link, if the user made one. */
const target = (path: string): string => {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}

/** A user's profile, written whole once a person has confirmed it. `folder` is where profiles are. */
export const createProfileChange = ({ folder, ledger }: { folder: string; ledger: Ledger }): ChangeKind<'profile'> => {
  const pathOf = (name: string): string => join(folder, `${name}.yaml`)
  /** The text that was edited. Throws HoldfastError `illegal-state` when the file holds another by now. */
  const current = async (name: string, base: string | null): Promise<string | null> => {
    const text = await readProfileText(pathOf(name))
    if ((text === null ? null : sha256(text)) === base) return text
    throw new HoldfastError('illegal-state', text === null ? `The profile ${name} is gone. Keep it under a new name.` : `The profile ${name} was changed meanwhile. Read it again, then make your change.`)
  }
  return {
    describe: async ({ name, text, base }) => {
      const before = await current(name, base)
      const path = pathOf(name)
      if (before === text) throw new HoldfastError('illegal-state', `The profile ${name} is like this already.`)
      if (Buffer.byteLength(text) > MAX_PROFILE_BYTES) throw new HoldfastError('profile-invalid', `A profile may be ${MAX_PROFILE_BYTES} bytes long.`)
      const effects = profileEffects(parsed(path, before), parseProfileText(path, 'user', text).profile)
      return { subject: name, title: before === null ? `A new profile: ${name}` : `Change the profile ${name}`, texts: [{ name: path, before, after: text }], ...effects }
    },
    apply: async ({ name, text, base }, via) => {
      const before = await current(name, base)
      const path = pathOf(name)
      const { wider } = profileEffects(parsed(path, before), parseProfileText(path, 'user', text).profile)
      ledger.append('profile/changed', null, { profile: name, before: base, after: sha256(text), wider, via })
      try {
        writeWhole(target(path), text)
      } catch (error) {
        throw asFileFault(path, error)
      }
    },
  }
}
