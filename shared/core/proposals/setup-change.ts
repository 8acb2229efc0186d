import { createHash } from 'node:crypto'
import { dirname } from 'node:path'
import { HoldfastError } from '../../contract/errors.ts'
import { profileEffects } from '../../domain/profile-effects.ts'
import { parseProfileText } from '../../domain/profile-text.ts'
import type { ProposeSetup } from '../onboarding/propose-setup.ts'
import { writeNew } from '../onboarding/write-new.ts'
import type { Ledger } from '../ports.ts'
import type { ChangeKind } from './proposals.ts'

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

/** The files of `holdfast init`, written once a person has confirmed them. `folder` is where profiles are. */
export const createSetupChange = (deps: { folder: string; ledger: Ledger; propose: ProposeSetup }): ChangeKind<'setup'> => ({
  describe: async ({ cwd, name }) => {
    const fresh = (await deps.propose(cwd, name)).files.filter(({ state }) => state === 'proposed')
    if (fresh.length === 0) throw new HoldfastError('illegal-state', `The agent ${name} is set up in ${cwd} already. Launch it.`)
    const effects = fresh.map(({ path, text, origin }) => ({ origin, ...profileEffects(null, parseProfileText(path, origin, text).profile) }))
    return {
      subject: cwd,
      title: `Set up the agent ${name} in ${cwd}`,
      texts: fresh.map(({ path, text }) => ({ name: path, before: null, after: text })),
      wider: effects.flatMap(({ origin, wider }) => (origin === 'user' ? wider : [])),
      narrower: [...new Set(effects.flatMap(({ narrower }) => narrower))],
    }
  },
  apply: async (_change, via, { texts, wider }) => {
    for (const { name: path, after } of texts) {
      deps.ledger.append('profile/changed', null, { profile: path, before: null, after: sha256(after), wider, via })
      await writeNew(path, after, dirname(path) === deps.folder ? 0o600 : 0o644)
    }
  },
})
