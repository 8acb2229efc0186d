import { createHash } from 'node:crypto'
import { z } from 'zod'
import { HoldfastError } from '../../contract/errors.ts'
import type { LedgerEntry } from '../../contract/schemas/ledger.ts'
import type { SealAnchor } from '../../domain/ledger-seal.ts'
import type { Ledger, LedgerSigner, LedgerTrust, SecretStore } from '../ports.ts'
import { generateKey, signerOf } from './signing.ts'

/** A seal after this many entries, and at the end of each session. */
const SEAL_EVERY = 500
/** How long the last seal may keep a host from stopping: a keychain may be waiting for a person. */
const CLOSE_WAIT_MS = 2_000

const KEY_NAME = 'ledger-key'
const Anchor = z.object({ to: z.number().int().positive(), root: z.string().regex(/^[0-9a-f]{64}$/) })

export interface SealerDeps {
  readonly ledger: Ledger
  /** The keychain's part that nothing else reads: the signing key, and the newest seal of each ledger. */
  readonly keys: SecretStore
  /** Tells a person. */
  readonly raiseAlarm: (message: string) => void
}

/** Keeps a ledger signed. Without a keychain its entries are chained but unsigned, and `trust` says why. */
export interface Sealer {
  /** Hears of every entry, to know when to seal. */
  saw(entry: LedgerEntry): void
  /** Seals now, where it can: `trust` says why it could not. Never rejects. */
  seal(): Promise<void>
  /** What a verification now is to trust. Never rejects. */
  trust(): Promise<LedgerTrust>
  /** The public key, base64 of its SubjectPublicKeyInfo. Throws HoldfastError `secret-unavailable`. */
  publicKey(): Promise<string>
  /** A last seal; waits for the keychain a short while only. */
  close(): Promise<void>
}

export const createSealer = ({ ledger, keys, raiseAlarm }: SealerDeps): Sealer => {
  let problem: string | null = null
  let sinceSeal = 0
  let work: Promise<void> = Promise.resolve()

  /** This ledger's own name: the hash of its first entry. null while there is none. */
  const anchorName = (): string | null => {
    const first = ledger.read({ after: 0, limit: 1 }).entries[0]
    return first === undefined ? null : `ledger-anchor-${createHash('sha256').update(first.hash).digest('hex').slice(0, 16)}`
  }

  const readAnchor = async (): Promise<SealAnchor | null> => {
    const name = anchorName()
    const text = name === null ? null : await keys.get(name)
    return text === null ? null : Anchor.parse(JSON.parse(text))
  }

  const signer = async (): Promise<LedgerSigner> => {
    const kept = await keys.get(KEY_NAME)
    if (kept !== null) return signerOf(kept)
    const key = generateKey()
    await keys.set(KEY_NAME, key)
    if (ledger.tail(1, { kinds: ['ledger/sealed'] }).entries.length > 0) {
      raiseAlarm('The key that sealed the ledger is no longer in the keychain; a new one was made. Older seals cannot be checked with it.')
    }
    return signerOf(key)
  }

  const sealOnce = async (): Promise<void> => {
    try {
      const entry = ledger.seal(await signer())
      problem = null
      const name = anchorName()
      if (entry !== null && name !== null) await keys.set(name, JSON.stringify({ to: entry.body['to'], root: entry.body['root'] }))
    } catch (error) {
      problem = error instanceof HoldfastError ? error.message : 'The signing key in the keychain cannot be used.'
    }
  }
  const seal = (): Promise<void> => {
    sinceSeal = 0
    return (work = work.then(sealOnce))
  }

  return {
    saw: ({ kind }) => {
      sinceSeal += 1
      if (kind === 'session/ended' || kind === 'session/killed' || sinceSeal >= SEAL_EVERY) void seal()
    },
    seal,
    trust: async () => {
      await work
      try {
        const { publicKey } = await signer()
        const anchor = await readAnchor()
        return { trustedKey: publicKey, anchors: anchor === null ? [] : [anchor], problem }
      } catch (error) {
        return { trustedKey: null, anchors: [], problem: error instanceof HoldfastError ? error.message : 'The signing key or anchor in the keychain cannot be used.' }
      }
    },
    publicKey: async () => (await signer()).publicKey,
    close: async () => {
      let timer: NodeJS.Timeout | undefined
      await Promise.race([seal(), new Promise((resolve) => (timer = setTimeout(resolve, CLOSE_WAIT_MS)))])
      clearTimeout(timer)
    },
  }
}
