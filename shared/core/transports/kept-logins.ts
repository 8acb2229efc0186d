import { rmSync } from 'node:fs'
import { z } from 'zod'
import { readIfThere, writeWhole } from '../whole-file.ts'
import type { KeptSession } from './web-logins.ts'

/** The logins of one page, and the port that its origin is. */
export interface KeptLogins {
  readonly port: number
  readonly sessions: readonly KeptSession[]
}

/** Keeps the logins of one page over a restart of the host. */
export interface LoginKeeper {
  load(): KeptLogins | null
  save(logins: KeptLogins): void
}

const hash = z.string().regex(/^[0-9a-f]{64}$/)
const Logins = z.object({ port: z.number().int().min(1).max(65_535), sessions: z.array(z.object({ cookie: hash, token: hash, expiresAt: z.number() })).max(100) })

/** Logins in a file that only this user reads: hashes alone. One that cannot be read, or be written, means logging in anew. */
export const createLoginKeeper = (file: string): LoginKeeper => ({
  load: () => {
    try {
      const text = readIfThere(file)
      return text === null ? null : Logins.parse(JSON.parse(text))
    } catch {
      return null
    }
  },
  save: (logins) => {
    try {
      if (logins.sessions.length === 0) rmSync(file, { force: true })
      else writeWhole(file, JSON.stringify(logins))
    } catch {
      rmSync(file, { force: true })
    }
  },
})
