import { z } from 'zod'
import { AgentId, ApprovalId, CheckpointId, GrantId, ToolCallId } from '../ids.ts'
import { ApprovalScope } from './approval.ts'
import { AlarmRule, type LedgerEntry, type LedgerKind, LedgerSeal } from './ledger.ts'
import { FileChange } from './checkpoint.ts'
import { ContainerKind, Session } from './session.ts'
import { Timestamp } from './time.ts'
import { AgentWords, MatchedRule, PolicyDecision } from './tool-call.ts'
import { Billing, Tokens } from './usage.ts'

const count = z.number().int().nonnegative()
const milliseconds = z.number().nonnegative()
const text = z.string()
const hash = z.string().regex(/^[0-9a-f]{64}$/)

/** What a session had used when it ended; missing where it never ran. */
const spent = { usage: Session.shape.usage.optional(), toolCalls: Session.shape.toolCalls.optional() }

const figures = z.object({ requests: count, input: count, output: count, cacheRead: count, cacheWrite: count, microUsd: z.number().nonnegative().nullable() })

/**
 * What each kind of entry holds. Loose, so that a newer Holdfast may add; a field that an older one did not write is
 * optional here, and so every entry ever written still reads. test/migrations keeps a ledger of each format.
 */
export const LEDGER_BODIES = {
  'host/started': z.looseObject({ version: text, pid: count }),
  'host/stopped': z.looseObject({}),
  /** A new key of an agent, or its end; the public half, with which its commits verify. */
  'agent/changed': z.looseObject({ agentId: AgentId, agent: text, change: z.enum(['made', 'rotated', 'retired']), publicKey: text.nullable(), fingerprint: text.nullable() }),
  'session/started': z.looseObject({
    agent: text,
    adapter: text,
    command: z.array(text),
    cwd: text,
    container: ContainerKind,
    /** Profile and policy in force, without the values of its servers' variables; and the SHA-256 of the whole as canonical JSON. */
    profile: z.unknown(),
    profileHash: hash,
    /** The name of the model's key, null without one. */
    modelKey: text.nullable(),
    agentId: AgentId.optional(),
  }),
  'session/paused': z.looseObject({ reason: text }),
  /** `message`: what the person told the agent with it. */
  'session/resumed': z.looseObject({ message: text.optional() }),
  'session/ended': z.looseObject({
    exitCode: z.number().int().nullable().optional(),
    signal: text.nullable().optional(),
    /** Processes it left running, which were ended; and those that could not be. */
    leftBehind: count.optional(),
    survivors: z.array(count).optional(),
    /** Why it never came to run. */
    failed: text.optional(),
    agent: text.optional(),
    startedAt: Timestamp.optional(),
    ...spent,
  }),
  'session/killed': z.looseObject({
    processesKilled: count,
    /** Missing in some: it is written when there is none. */
    survivors: z.array(count).optional(),
    durationMs: milliseconds,
    restoreProblem: text.nullable(),
    agent: text.optional(),
    startedAt: Timestamp.optional(),
    ...spent,
  }),
  /** The model asked for a call. `toolUseId` joins it to the call's intent or decision, and its outcome. */
  'tool-call/proposed': z.looseObject({
    toolUseId: text,
    tool: text,
    /** null where the profile keeps no inputs whole. */
    words: AgentWords.nullable(),
    /** The sequence of the model request's intent. */
    request: count,
    model: text.nullable(),
    messageId: text.nullable(),
    /** The agent's own names of the conversation, of the subagent, and of the person's prompt that led to it. */
    conversation: text.nullable(),
    subagent: text.nullable(),
    promptId: text.nullable(),
  }),
  'tool-call/intent': z.looseObject({
    toolCallId: ToolCallId,
    tool: text,
    /** As the agent gave it; of a long one, or where the profile wants hashes, SHA-256, length and beginning. */
    input: z.unknown(),
    toolUseId: text.nullable(),
    decision: PolicyDecision,
    /** `person`, `session-grant`, `always-grant`, `recoverable` (the profile lets it pass, as a checkpoint covers it), `met-program` (a person let these unknown programs run before, in this session), or null when nobody had to be asked. */
    approvedBy: text.nullable(),
    /** When a person changed the arguments: those that the agent gave. */
    askedInput: z.unknown().optional(),
    /** The checkpoint that brings back what a recoverable call destroys. */
    checkpointId: CheckpointId.optional(),
  }),
  /** A call that does not run. */
  'tool-call/decision': z.looseObject({
    toolCallId: ToolCallId,
    tool: text,
    effect: text,
    reason: text,
    /** As of an intent. */
    input: z.unknown().optional(),
    toolUseId: text.nullable().optional(),
    /** null when it could not be judged. */
    decision: PolicyDecision.nullable(),
  }),
  'tool-call/outcome': z.looseObject({
    toolCallId: ToolCallId,
    /** null: how it ended is not known. */
    ok: z.boolean().nullable(),
    summary: text,
    durationMs: milliseconds,
    tool: text.optional(),
    /** How many secrets were taken out of the result. */
    redacted: count.optional(),
    /** Of the result as the agent got it: canonical JSON. null where the agent does not show it, or the profile wants none. */
    result: z.looseObject({ sha256: hash, bytes: count, text: text.optional() }).nullable().optional(),
  }),
  'approval/requested': z.looseObject({
    approvalId: ApprovalId,
    toolCallId: ToolCallId,
    tool: text,
    bindingHash: hash,
    expiresAt: Timestamp,
    /** The rules that made it a question. */
    rules: z.array(MatchedRule).optional(),
    recoverable: z.boolean().nullable().optional(),
  }),
  'approval/decided': z.looseObject({
    approvalId: ApprovalId,
    toolCallId: ToolCallId,
    bindingHash: hash,
    state: text,
    scope: ApprovalScope,
    reason: text.nullable(),
    waitedMs: milliseconds,
    /** Of the arguments that a person put in the place of those that were asked about: SHA-256 of the canonical JSON. */
    changedInputHash: hash.nullable().optional(),
    /** The shell a person answered through; null when nobody did. */
    via: text.nullable().optional(),
  }),
  'grant/made': z.looseObject({ grantId: GrantId, scope: ApprovalScope, tool: text, bindingHash: hash, expiresAt: Timestamp.nullable(), rule: text.nullable().optional() }),
  'grant/revoked': z.looseObject({ grantId: GrantId, tool: text }),
  'model-request/intent': z.looseObject({ agent: text, endpoint: text, bodyBytes: count, billing: Billing, model: text.optional() }),
  'model-request/outcome': z.looseObject({
    /** The sequence of its intent. */
    intent: count,
    latencyMs: milliseconds,
    httpStatus: count.nullable(),
    ended: text,
    messageId: text.nullable().optional(),
    model: text.optional(),
    stopReason: text.nullable().optional(),
    tokens: Tokens.optional(),
    /** null: the model's price is not known. */
    costMicroUsd: count.nullable().optional(),
    priceSource: text.nullable().optional(),
    /** Whose API it is, as OpenTelemetry's conventions for gen_ai name it. */
    provider: text.optional(),
    /** Whose it was, and what was charged to caps for it: never less than what it cost. */
    agent: text.optional(),
    project: text.optional(),
    charged: z.object({ microUsd: count, tokens: count, requests: count, modelMs: milliseconds }).optional(),
  }),
  /** What an agent that has ended says it used, in one conversation, beside what passed here, whole answers and all. */
  'usage/compared': z.looseObject({ source: z.enum(['telemetry', 'result']), own: figures, passed: figures, whole: figures, difference: text.nullable() }),
  'checkpoint/created': z.looseObject({ checkpointId: CheckpointId, reason: text, files: count, leftOut: count }),
  'checkpoint/restored': z.looseObject({ undo: z.boolean().optional() }),
  /** What changed in the session's folders while these calls ran or, with none named, from its start to its end. */
  'file/changed': z.looseObject({
    toolCallIds: z.array(ToolCallId),
    counts: z.looseObject({ added: count, modified: count, deleted: count, linesAdded: count, linesRemoved: count }),
    /** The first of them; lines are null for what is no text, or large. */
    files: z.array(z.looseObject({ path: text, change: FileChange.shape.change, added: count.nullable(), removed: count.nullable() })),
    omitted: count,
    /** Of the text kept beside the session's checkpoints: see `checkpoint/recorded-diff`. null for one that is too long, or not to be kept. */
    diff: z.looseObject({ sha256: hash, bytes: count }).nullable(),
  }),
  /** Refs with their values before and after. */
  'git/moved': z.looseObject({
    toolCallIds: z.array(ToolCallId),
    /** `pushed`: git's own log says that this remote's ref moved because of a push. */
    refs: z.array(z.looseObject({ ref: text, from: text.nullable(), to: text.nullable(), pushed: z.boolean() })),
    omitted: count,
  }),
  /** A file that profiles and policies come from is another than when it was last looked at. */
  'configuration/changed': z.looseObject({
    file: text,
    /** null: there is none. */
    sha256: hash.nullable(),
    previous: hash.nullable(),
    /** The whole of it, unless it is longer than a profile may be. */
    text: text.nullable(),
  }),
  /** Tools of an MCP server by name and hash of their definition: remembered, stopped as nobody accepted them, accepted. */
  'server/pinned': z.looseObject({ server: text, launch: text }),
  'server/held': z.looseObject({ server: text, launch: text }),
  'server/accepted': z.looseObject({ server: text, launch: text }),
  /** A tool that no agent may use any more, or may again. */
  'server/switched': z.looseObject({ server: text, launch: text, tool: text, allowed: z.boolean() }),
  /** By a person's word on the approvals page; before is null for a new one. */
  'profile/changed': z.looseObject({ profile: text, before: hash.nullable(), after: hash, wider: z.array(text), via: text }),
  /** The host signed a commit or tag as the agent; `author` where that is another, whose commit was there before. */
  'commit/signed': z.looseObject({ agentId: AgentId, object: z.enum(['commit', 'tag']), who: text, payloadSha256: hash, subject: text, author: text.optional() }),
  /** Commits that came in while the session ran, and that it had not signed, though its commits are. */
  'commit/unsigned': z.looseObject({ toolCallIds: z.array(ToolCallId), commits: z.array(z.looseObject({ oid: text, author: text, committer: text })), omitted: count }),
  /** The agent tried to appear as someone else: in a tool call that names it, or in what it asked to have signed. */
  'identity/overruled': z.looseObject({ agentId: AgentId, by: z.enum(['call', 'signer']), what: text }),
  /** The first connection of a session to a host and port. */
  'network/reached': z.looseObject({ host: text, port: count }),
  'network/refused': z.looseObject({ host: text, port: count, reason: text.optional() }),
  /** Names only. */
  'secret/resolved': z.looseObject({ secret: text, server: text, variable: text }),
  'secret/changed': z.looseObject({ secret: text, change: z.enum(['set', 'removed']) }),
  'alarm/raised': z.looseObject({ message: text, rule: AlarmRule.optional() }),
  /** The ledger that was here before, kept beside this one, and its head as far as it was known. */
  'ledger/began': z.looseObject({ previous: z.looseObject({ file: text, sha256: hash, head: z.looseObject({ sequence: count, hash }).nullable() }) }),
  'ledger/sealed': LedgerSeal,
  /** The content of entries 1 to `through`, those from before `before`, was emptied. */
  'ledger/pruned': z.looseObject({ through: count, before: Timestamp }),
} satisfies Record<LedgerKind, z.ZodType>

export type LedgerBody<Kind extends LedgerKind> = z.input<(typeof LEDGER_BODIES)[Kind]>

/** The entry's body when it is of this kind and not pruned, else null. */
export const bodyOf = <Kind extends LedgerKind>(entry: Pick<LedgerEntry, 'kind' | 'body'>, kind: Kind): z.output<(typeof LEDGER_BODIES)[Kind]> | null => {
  if (entry.kind !== kind) return null
  const parsed = LEDGER_BODIES[kind].safeParse(entry.body)
  return parsed.success ? (parsed.data as z.output<(typeof LEDGER_BODIES)[Kind]>) : null
}
