import { z } from 'zod'
import type { AsyncEntry } from '@napi-rs/keyring'
import { HoldfastError } from '../../contract/errors.ts'
import { SecretInfo } from '../../contract/schemas/secret.ts'
import { Timestamp } from '../../contract/schemas/time.ts'
import type { Clock, SecretStore } from '../ports.ts'
import { isStaleConnection, keychainFault } from './keychain-faults.ts'

/** Kept in the keychain beside the secrets; no secret's name begins with a dot. */
const INDEX_NAME = '.index'

const Kept = SecretInfo.omit({ name: true })
/** The first form kept a time alone. */
const Index = z.record(z.string().max(200), z.union([Kept, Timestamp.transform((createdAt): z.infer<typeof Kept> => ({ createdAt }))]))
type Index = z.infer<typeof Index>

/** A use is noted this exactly, so that a busy server does not write to the keychain at each start. */
const NOTED_EVERY_MS = 3_600_000

export interface KeychainDeps {
  /** What the items are filed under: `holdfast`. */
  readonly service: string
  readonly clock: Clock
}

type EntryFactory = (name: string) => AsyncEntry

/**
 * The Secret Service alone on Linux: unpinned, the library falls back without a word to the kernel's keyring, which is
 * lost at the next boot. macOS and Windows have one store each; this was never run there.
 */
const loadEntryFactory = async (service: string): Promise<EntryFactory> => {
  try {
    const keyring = await import('@napi-rs/keyring')
    return (name) => new keyring.AsyncEntry(service, name, { linux: { store: 'secret-service' } })
  } catch (cause) {
    throw new HoldfastError(
      'secret-unavailable',
      `Holdfast has no way to a keychain on ${process.platform} ${process.arch}, and keeps secrets nowhere else.`,
      { cause },
    )
  }
}

const parseIndex = (text: string | null): Index => {
  if (text === null) return {}
  try {
    return Index.parse(JSON.parse(text))
  } catch {
    throw new HoldfastError(
      'secret-unavailable',
      `The keychain item ${INDEX_NAME} of Holdfast is damaged. Remove it, then set your secrets again.`,
    )
  }
}

/**
 * The keychain of the operating system. Keeps what is known of each in an item of its own, so that listing reads no secret; a
 * change that fails halfway is mended by trying it again. One process at a time may change it.
 */
export const createKeychain = ({ service, clock }: KeychainDeps): SecretStore => {
  const entries = new Map<string, AsyncEntry>()
  let factory: Promise<EntryFactory> | undefined
  let lastChange: Promise<unknown> = Promise.resolve()

  const entryOf = async (name: string): Promise<AsyncEntry> => {
    const create = await (factory ??= loadEntryFactory(service))
    const entry = entries.get(name) ?? create(name)
    entries.set(name, entry)
    return entry
  }

  /** A kept entry outlives the keychain's daemon or the bus: then, once, a fresh one is tried. */
  const use = async <Result>(name: string, act: (entry: AsyncEntry) => Promise<Result>): Promise<Result> => {
    const wasKept = entries.has(name)
    try {
      return await act(await entryOf(name))
    } catch (error) {
      entries.delete(name)
      if (wasKept && isStaleConnection(error)) return use(name, act)
      throw keychainFault(error)
    }
  }

  const readIndex = async (): Promise<Index> => parseIndex(await use(INDEX_NAME, (entry) => entry.getPassword()))

  const changeIndex = async (change: (index: Index) => void): Promise<void> => {
    const index = await readIndex()
    change(index)
    await use(INDEX_NAME, (entry) => entry.setPassword(JSON.stringify(index)))
  }

  const noteUse = async (name: string, agent: string): Promise<void> => {
    const kept = (await readIndex())[name]
    if (kept === undefined || (kept.usedBy === agent && clock.now() - (kept.usedAt ?? 0) < NOTED_EVERY_MS)) return
    await changeIndex((index) => {
      index[name] = { ...kept, usedAt: clock.now(), usedBy: agent }
    })
  }

  const refuseExpired = async (name: string): Promise<void> => {
    const expiresAt = (await readIndex())[name]?.expiresAt
    if (expiresAt === undefined || clock.now() < expiresAt) return
    throw new HoldfastError('secret-unavailable', `${name} expired on ${new Date(expiresAt).toISOString().slice(0, 10)}. Give it a new value: holdfast secret rotate ${name}`)
  }

  const inTurn = <Result>(change: () => Promise<Result>): Promise<Result> => {
    const done = lastChange.then(change)
    lastChange = done.catch(() => undefined)
    return done
  }

  return {
    async get(name, agent) {
      const value = await use(name, (entry) => entry.getPassword())
      if (value === null || agent === undefined) return value
      await refuseExpired(name)
      await inTurn(() => noteUse(name, agent))
      return value
    },
    set: (name, value, details = {}) =>
      inTurn(async () => {
        await use(name, (entry) => entry.setPassword(value))
        await changeIndex((index) => {
          const { owner, scope } = index[name] ?? {}
          index[name] = { ...(owner === undefined ? {} : { owner }), ...(scope === undefined ? {} : { scope }), ...details, createdAt: clock.now() }
        })
      }),
    remove: (name) =>
      inTurn(async () => {
        const removed = await use(name, (entry) => entry.deletePassword())
        await changeIndex((index) => {
          delete index[name]
        })
        return removed
      }),
    async list() {
      const index = await readIndex()
      return Object.entries(index)
        .map(([name, kept]) => ({ name, ...kept }))
        .sort((a, b) => (a.name < b.name ? -1 : 1))
    },
  }
}
