import { randomBytes } from 'node:crypto'
import type { MendDeps } from '../../core/audit/mend.ts'
import { systemClock } from '../../core/identifiers.ts'
import type { Paths } from '../../core/paths.ts'
import { createKeychain } from '../../core/secrets/keychain.ts'
import { withHost } from './with-host.ts'

const KEY = 'audit-backups'

/** What fixes need: secrets go to the host's keychain items; the key of the files as they were is this program's own, and the host has no word that gives it out. */
export const mendDeps = (paths: Paths): MendDeps => ({
  backups: paths.auditBackups,
  secrets: {
    set: (name, value) => withHost((client) => client.call('secret/set', { name, value })),
    remove: (name) => withHost((client) => client.call('secret/remove', { name })),
  },
  backupKey: async () => {
    const keychain = createKeychain({ service: 'holdfast-backups', clock: systemClock })
    const kept = await keychain.get(KEY)
    if (kept !== null) return Buffer.from(kept, 'base64')
    const key = randomBytes(32)
    await keychain.set(KEY, key.toString('base64'))
    return key
  },
})
