import { createHash } from 'node:crypto'
import { z } from 'zod'
import { HoldfastError } from '../../contract/errors.ts'
import type { GrantId, SessionId } from '../../contract/ids.ts'
import { type ApprovalRequest, Grant } from '../../contract/schemas/approval.ts'
import { isStricter } from '../../domain/classify/finding.ts'
import { canonicalJson } from '../../domain/ledger-chain.ts'
import { createSubject, matchesRule, parseRule } from '../../domain/rule-match.ts'
import { asFileFault } from '../file-fault.ts'
import type { Clock, IdSource, Ledger } from '../ports.ts'
import { readIfThere, writeWhole } from '../whole-file.ts'

/** What a grant is looked for by: all that was shown. */
export type GrantedCall = Pick<ApprovalRequest, 'sessionId' | 'agent' | 'tool' | 'input' | 'cwd' | 'decision'> & {
  /** Hash of the tool's definition; null for a tool that is always the same. */
  readonly definition: string | null
}

/** What a person granted beyond one call: the very same call again, or those of a rule, for the session or until it expires. */
export interface Grants {
  /** The grant that covers this call and is still good, without using it. Null when there is none. */
  covers(call: GrantedCall): Grant | null
  /** The grant that covers this call and is still good; counts its use. Null when there is none. */
  use(call: GrantedCall): Grant | null
  /**
   * Grants what was asked, or with a rule all calls of that tool which it covers and which are no worse. Throws HoldfastError `unsupported` when an always would be for more than was shown, `disk-full`,
   * `read-only`, and what the ledger throws: then nothing is granted.
   */
  add(request: ApprovalRequest & GrantedCall, scope: Grant['scope'], rule: string | null): Grant
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

/** A rule that comes with Holdfast and names something: no answer lifts it for longer than a session. */
const standsForever = ({ decision }: Pick<ApprovalRequest, 'decision'>): boolean =>
  decision.rules.some(({ rule, effect, source }) => effect === 'ask' && source === 'built-in' && !rule.endsWith(' actions'))

type Keyed = Pick<GrantedCall, 'agent' | 'tool' | 'input' | 'cwd'>

/** A rule is kept apart from the call it was made for. */
const keyOf = ({ agent, tool, input, cwd }: Keyed, sessionId: SessionId | null, definition: string | null, rule: string | null): string =>
  canonicalJson({ agent, tool, input: rule === null ? input : null, cwd, sessionId, definition, rule })

const judgedHashOf = ({ decision: { classification } }: GrantedCall): string =>
  createHash('sha256').update(canonicalJson({ class: classification.class, reasons: classification.reasons })).digest('hex')

const problemOf = (text: string, { tool, input, cwd }: Keyed): string | null => {
  const parsed = parseRule(text)
  if (!parsed.ok) return `"${text}" ${parsed.problem}.`
  const { rule } = parsed
  if (rule.tool !== tool || rule.specifier === null || /^[*?: ]*$/.test(rule.specifier)) return `A rule for always names the tool and which of its calls: ${tool}(…).`
  return matchesRule(rule, createSubject(tool, input, cwd), 'allow') ? null : `"${text}" does not cover the call that you were asked about.`
}

const covers = (grant: Grant, call: GrantedCall): boolean => {
  const parsed = grant.rule === null || grant.class === null ? null : parseRule(grant.rule)
  return parsed?.ok === true && grant.agent === call.agent && grant.cwd === call.cwd && grant.tool === call.tool
    && !isStricter(call.decision.classification.class, grant.class ?? 'read') && !standsForever(call)
    && matchesRule(parsed.rule, createSubject(call.tool, call.input, call.cwd), 'allow')
}

/** The grants of one user. A file that cannot be read grants nothing, and is not written over. */
export const createGrants = ({ file, clock, ids, ledger }: GrantsDeps): Grants => {
  const grants = new Map<string, Grant>()
  let unreadable = false
  const load = (): void => {
    try {
      const text = readIfThere(file)
      if (text === null) return
      for (const grant of GrantsFile.parse(JSON.parse(text)).grants) grants.set(keyOf(grant, null, null, grant.rule), { ...grant, uses: 0, lastUsedAt: null })
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

  /** One for the very same call, else one whose rule covers it. */
  const find = (call: GrantedCall): readonly [string, Grant] | null => {
    for (const key of [keyOf(call, call.sessionId, call.definition, null), keyOf(call, null, call.definition, null)]) {
      const grant = grants.get(key)
      if (grant !== undefined && isGood(grant) && grant.judgedHash === judgedHashOf(call)) return [key, grant]
    }
    return [...grants].find(([, grant]) => isGood(grant) && covers(grant, call)) ?? null
  }

  return {
    covers: (call) => find(call)?.[1] ?? null,

    use: (call) => {
      const [key, grant] = find(call) ?? []
      if (key === undefined || grant === undefined) return null
      const used = { ...grant, uses: grant.uses + 1, lastUsedAt: clock.now() }
      grants.set(key, used)
      return used
    },

    add: (request, scope, rule) => {
      const why = (scope === 'always' ? refusal(request) : null) ?? (rule === null ? null : problemOf(rule, request))
      if (why !== null) throw new HoldfastError('unsupported', why)
      const { agent, tool, input, cwd, bindingHash, decision, definition } = request
      const now = clock.now()
      const sessionId = scope === 'session' ? request.sessionId : null
      const grant: Grant = {
        id: ids.grant(),
        scope,
        sessionId,
        agent,
        tool,
        input,
        rule,
        class: rule === null ? null : decision.classification.class,
        judgedHash: rule === null ? judgedHashOf(request) : null,
        cwd,
        grantedAt: now,
        expiresAt: scope === 'always' ? now + ALWAYS_MS : null,
        uses: 0,
        lastUsedAt: null,
      }
      ledger.append('grant/made', request.sessionId, { grantId: grant.id, scope, tool, bindingHash, expiresAt: grant.expiresAt, rule })
      const key = keyOf(request, sessionId, definition, rule)
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
