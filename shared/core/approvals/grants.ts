import { z } from 'zod'
import { HoldfastError } from '../../contract/errors.ts'
import type { GrantId, SessionId } from '../../contract/ids.ts'
import { type ApprovalRequest, Grant } from '../../contract/schemas/approval.ts'
import { canonicalJson } from '../../domain/ledger-chain.ts'
import { asFileFault } from '../file-fault.ts'
import type { Clock, IdSource, Ledger } from '../ports.ts'
import { readIfThere, writeWhole } from '../whole-file.ts'

/** What a grant is looked for by: all that was shown, but for the class and the reasons. */
export type GrantedCall = Pick<ApprovalRequest, 'sessionId' | 'agent' | 'tool' | 'input' | 'cwd'>

/** What a person granted beyond one call: the very same call again, for the session or until it expires. */
export interface Grants {
  /** The grant that covers this call and is still good; counts its use. Null when there is none. */
  use(call: GrantedCall): Grant | null
  /**
   * Grants what was asked. Throws HoldfastError `unsupported` when an always would be for more than was shown, `disk-full`,
   * `read-only`, and what the ledger throws: then nothing is granted.
   */
  add(request: ApprovalRequest, scope: Grant['scope']): Grant
  /** Those that are good, oldest first. */
  list(): readonly Grant[]
  /** Throws HoldfastError `not-found`, and as `add`. */
  revoke(id: GrantId): Grant
  /** Takes back what was granted just now, as the answer could not be recorded. */
  forget(grant: Grant): void
  endSession(sessionId: SessionId): void
}

export interface GrantsDeps {
  /** Where those for always are kept. */
  readonly file: string
  readonly clock: Clock
  readonly ids: Pick<IdSource, 'grant'>
  readonly ledger: Ledger
}

const ALWAYS_MS = 30 * 24 * 3_600_000
const MAX_ALWAYS = 500
const MAX_INPUT_CHARACTERS = 65_536

const GrantsFile = z.object({ version: z.literal(1), grants: z.array(Grant).max(MAX_ALWAYS) })

const keyOf = ({ agent, tool, input, cwd }: Omit<GrantedCall, 'sessionId'>, sessionId: SessionId | null): string => canonicalJson({ agent, tool, input, cwd, sessionId })

/** A rule that comes with Holdfast and names something: no answer lifts it for longer than a session. */
const standsForever = ({ decision }: ApprovalRequest): boolean =>
  decision.rules.some(({ rule, effect, source }) => effect === 'ask' && source === 'built-in' && !rule.endsWith(' actions'))

/** The grants of one user. A file that cannot be read grants nothing, and is not written over. */
export const createGrants = ({ file, clock, ids, ledger }: GrantsDeps): Grants => {
  const grants = new Map<string, Grant>()
  let unreadable = false
  const load = (): void => {
    try {
      const text = readIfThere(file)
      if (text === null) return
      for (const grant of GrantsFile.parse(JSON.parse(text)).grants) grants.set(keyOf(grant, null), { ...grant, uses: 0, lastUsedAt: null })
    } catch {
      unreadable = true
    }
  }
  load()

  const isGood = (grant: Grant): boolean => grant.expiresAt === null || clock.now() < grant.expiresAt
  const kept = (): Grant[] => [...grants.values()].filter((grant) => grant.scope === 'always' && isGood(grant))
  const save = (): void => {
    try {
      writeWhole(file, `${JSON.stringify({ version: 1, grants: kept() }, null, 2)}\n`)
    } catch (error) {
      throw asFileFault(file, error)
    }
  }
  const refusal = (request: ApprovalRequest): string | null => {
    if (unreadable) return `${file} cannot be read, so nothing can be granted for always. Mend it, or move it away and start the host again.`
    if (request.tool.startsWith('mcp__')) return `An MCP tool may change what it does under the same name, so it is granted for the session at most. To allow its destructive calls for good, write ${request.tool}(destructive) under "allow" in your profile.`
    if (standsForever(request)) return 'What governs the agent is asked about each session anew. Use once or session here.'
    if (JSON.stringify(request.input ?? null).length > MAX_INPUT_CHARACTERS) return 'The call is too long to be granted for always. Use once or session here.'
    return kept().length >= MAX_ALWAYS ? `There are ${MAX_ALWAYS} grants. Revoke some: "holdfast grants" lists them.` : null
  }

  return {
    use: (call) => {
      for (const sessionId of [call.sessionId, null]) {
        const key = keyOf(call, sessionId)
        const grant = grants.get(key)
        if (grant === undefined || !isGood(grant)) continue
        const used = { ...grant, uses: grant.uses + 1, lastUsedAt: clock.now() }
        grants.set(key, used)
        return used
      }
      return null
    },

    add: (request, scope) => {
      const why = scope === 'always' ? refusal(request) : null
      if (why !== null) throw new HoldfastError('unsupported', why)
      const { agent, tool, input, cwd, bindingHash } = request
      const now = clock.now()
      const sessionId = scope === 'session' ? request.sessionId : null
      const grant: Grant = { id: ids.grant(), scope, sessionId, agent, tool, input, cwd, grantedAt: now, expiresAt: scope === 'always' ? now + ALWAYS_MS : null, uses: 0, lastUsedAt: null }
      ledger.append('grant/made', request.sessionId, { grantId: grant.id, scope, tool, bindingHash, expiresAt: grant.expiresAt })
      const key = keyOf(request, sessionId)
      const before = grants.get(key)
      grants.set(key, grant)
      try {
        if (scope === 'always') save()
      } catch (error) {
        if (before === undefined) grants.delete(key)
        else grants.set(key, before)
        throw error
      }
      return grant
    },

    list: () => [...grants.values()].filter(isGood).sort((left, right) => left.grantedAt - right.grantedAt),

    revoke: (id) => {
      const [key, grant] = [...grants].find(([, each]) => each.id === id && isGood(each)) ?? []
      if (key === undefined || grant === undefined) throw new HoldfastError('not-found', `There is no grant ${id}: it is revoked, expired, or never was. "holdfast grants" lists those there are.`)
      grants.delete(key)
      if (grant.scope === 'always') save()
      ledger.append('grant/revoked', grant.sessionId, { grantId: id, tool: grant.tool })
      return grant
    },

    forget: (grant) => {
      for (const [key, { id }] of grants) if (id === grant.id) grants.delete(key)
      if (grant.scope === 'always') save()
    },

    endSession: (sessionId) => {
      for (const [key, grant] of grants) if (grant.sessionId === sessionId) grants.delete(key)
    },
  }
}
