import { createPrivateKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { z } from 'zod'
import { HoldfastError } from '../../contract/errors.ts'
import type { AgentId, SessionId } from '../../contract/ids.ts'
import { AgentIdentity } from '../../contract/schemas/agent.ts'
import type { Clock, IdSource, Ledger, SecretStore } from '../ports.ts'
import { readIfThere, writeWhole } from '../whole-file.ts'
import { allowedSigners } from './allowed-signers.ts'
import { signSsh, sshFingerprint, sshPublicKey } from './ssh-signature.ts'

/** How long an identity token is good, in seconds. */
const TOKEN_SECONDS = 600

const File = z.array(AgentIdentity)

export interface AgentIdentitiesDeps {
  readonly file: string
  /** Where the allowed-signers file of all agents is kept. */
  readonly allowedSignersFile: string
  /** A part of the keychain of its own, which no profile or server can name. */
  readonly keys: SecretStore
  readonly clock: Clock
  readonly ids: Pick<IdSource, 'agent'>
  readonly ledger: Ledger
}

/** The agents of this machine: each with an id and an Ed25519 key of its own, made at its first use. */
export interface AgentIdentities {
  list(): readonly AgentIdentity[]
  /**
   * The identity of an agent that is about to start, which commits with this address. Throws HoldfastError
   * `agent-refused` for one that is retired. Its key is made where there is none; without a keychain it has none.
   */
  use(agent: string, email: string): Promise<{ readonly identity: AgentIdentity; readonly keyProblem: string | null }>
  /** Signs as git has it done, with the agent's key of now. Throws HoldfastError `agent-refused` or `secret-unavailable`. */
  signForGit(id: AgentId, payload: Buffer): Promise<string>
  /** A signed statement that a session is this agent's, good for ten minutes: a JSON Web Token (EdDSA); null without a key. */
  token(id: AgentId, sessionId: SessionId): Promise<string | null>
  /** A new key; the old one verifies what it signed. Throws HoldfastError `not-found`, `agent-refused` or `secret-unavailable`. */
  rotate(agent: string): Promise<AgentIdentity>
  /** From now on it cannot start or sign; what it did stays verifiable. Throws HoldfastError `not-found`. */
  retire(agent: string): Promise<AgentIdentity>
}

export const createAgentIdentities = ({ file, allowedSignersFile, keys, clock, ids, ledger }: AgentIdentitiesDeps): AgentIdentities => {
  let known: AgentIdentity[] | null = null
  let last: Promise<unknown> = Promise.resolve()

  const read = (): AgentIdentity[] => {
    const text = readIfThere(file)
    if (text === null) return []
    try {
      return File.parse(JSON.parse(text))
    } catch (cause) {
      throw new HoldfastError('agent-refused', `${file} cannot be read as Holdfast wrote it, and no agent starts without knowing who is retired. Restore it from a backup.`, { cause })
    }
  }
  const all = (): AgentIdentity[] => (known ??= read())
  const save = (changed: AgentIdentity): AgentIdentity => {
    const next = [...all().filter(({ id }) => id !== changed.id), changed]
    writeWhole(file, JSON.stringify(next, null, 2))
    writeWhole(allowedSignersFile, allowedSigners(next))
    known = next
    return changed
  }
  const inTurn = <Result>(work: () => Promise<Result>): Promise<Result> => {
    const turn = last.then(work)
    last = turn.catch(() => undefined)
    return turn
  }

  const record = ({ id, agent }: AgentIdentity, change: 'made' | 'rotated' | 'retired', publicKey: string | null): void =>
    void ledger.append('agent/changed', null, { agentId: id, agent, change, publicKey, fingerprint: publicKey === null ? null : sshFingerprint(publicKey) })

  const currentKey = (identity: AgentIdentity) => identity.keys.find(({ retiredAt }) => retiredAt === null) ?? null
  const keyName = ({ id }: AgentIdentity): string => `agent-key-${id}`

  const named = (agent: string): AgentIdentity => {
    const found = all().find((one) => one.agent === agent)
    if (found === undefined) throw new HoldfastError('not-found', `No agent ${agent} has ever started here. "holdfast agents list" shows those that have.`)
    return found
  }
  const requireActive = (identity: AgentIdentity): AgentIdentity => {
    if (identity.retiredAt === null) return identity
    throw new HoldfastError('agent-refused', `The agent ${identity.agent} is retired since ${new Date(identity.retiredAt).toISOString()}, and starts no more. Give the profile another agent name.`)
  }

  /** The private key goes into the keychain first: a key that is listed can always sign. */
  const makeKey = async (identity: AgentIdentity, change: 'made' | 'rotated'): Promise<AgentIdentity> => {
    const { privateKey } = generateKeyPairSync('ed25519')
    const publicKey = sshPublicKey(privateKey)
    await keys.set(keyName(identity), privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64'))
    const now = clock.now()
    const earlier = identity.keys.map((key) => ({ ...key, retiredAt: key.retiredAt ?? now }))
    record(identity, change, publicKey)
    return save({ ...identity, keys: [...earlier, { publicKey, createdAt: now, retiredAt: null }] })
  }

  const privateKeyOf = async (id: AgentId): Promise<KeyObject | null> => {
    const identity = all().find((one) => one.id === id)
    if (identity === undefined || currentKey(identity) === null) return null
    const kept = await keys.get(keyName(requireActive(identity)))
    if (kept === null) return null
    const key = createPrivateKey({ key: Buffer.from(kept, 'base64'), format: 'der', type: 'pkcs8' })
    return sshPublicKey(key) === currentKey(identity)?.publicKey ? key : null
  }

  return {
    list: () => all(),

    use: (agent, email) =>
      inTurn(async () => {
        let identity = requireActive(all().find((one) => one.agent === agent) ?? { id: ids.agent(), agent, emails: [], keys: [], createdAt: clock.now(), retiredAt: null })
        if (!identity.emails.includes(email)) identity = save({ ...identity, emails: [...identity.emails, email] })
        try {
          // A key that the keychain has lost is replaced: what it signed still verifies.
          if ((await privateKeyOf(identity.id)) === null) identity = await makeKey(identity, identity.keys.length === 0 ? 'made' : 'rotated')
          return { identity, keyProblem: null }
        } catch (error) {
          if (!(error instanceof HoldfastError) || error.code !== 'secret-unavailable') throw error
          return { identity, keyProblem: error.message }
        }
      }),

    signForGit: async (id, payload) => {
      const key = await privateKeyOf(id)
      if (key === null) throw new HoldfastError('secret-unavailable', 'The key of this agent is not in the keychain any more. Start its next session to have a new one made.')
      return signSsh(key, 'git', payload)
    },

    token: async (id, sessionId) => {
      const key = await privateKeyOf(id).catch(() => null)
      const identity = all().find((one) => one.id === id)
      if (key === null || identity === undefined) return null
      const issuedAt = Math.floor(clock.now() / 1000)
      const part = (content: unknown): string => Buffer.from(JSON.stringify(content)).toString('base64url')
      const head = { alg: 'EdDSA', typ: 'JWT', kid: sshFingerprint(sshPublicKey(key)) }
      const body = { iss: 'holdfast', sub: id, agent: identity.agent, sid: sessionId, iat: issuedAt, exp: issuedAt + TOKEN_SECONDS }
      const text = `${part(head)}.${part(body)}`
      return `${text}.${sign(null, Buffer.from(text), key).toString('base64url')}`
    },

    rotate: (agent) => inTurn(() => makeKey(requireActive(named(agent)), 'rotated')),

    retire: (agent) =>
      inTurn(async () => {
        const identity = named(agent)
        if (identity.retiredAt !== null) return identity
        const now = clock.now()
        record(identity, 'retired', currentKey(identity)?.publicKey ?? null)
        const retired = save({ ...identity, retiredAt: now, keys: identity.keys.map((key) => ({ ...key, retiredAt: key.retiredAt ?? now })) })
        // A key that stays in a locked keychain signs nothing: that it is retired is asked first.
        await keys.remove(keyName(identity)).catch(() => false)
        return retired
      }),
  }
}
