import { z } from 'zod'
import { ErrorBody } from './errors.ts'
import { ApprovalId, CheckpointId, GrantId, ProposalId, SessionId } from './ids.ts'
import { AgentIdentity } from './schemas/agent.ts'
import { ApprovalRequest, ApprovalScope, ApprovalStatistics, Grant } from './schemas/approval.ts'
import { Checkpoint, CheckpointDiff, CheckpointUsage, FileSide, Irreversible, RestoreReport } from './schemas/checkpoint.ts'
import { AcceptedFinding, AuditedFinding, AuditedReach, Finding } from './schemas/finding.ts'
import { LedgerEntry, LedgerFilter, LedgerVerification } from './schemas/ledger.ts'
import { LedgerExport } from './schemas/ledger-settings.ts'
import { ExplainedDecision, PolicyLayerRules, Replay } from './schemas/policy.ts'
import { AgentName, ProfileListing, SessionRules } from './schemas/profile.ts'
import { Proposal, ProposedChange } from './schemas/proposal.ts'
import { SecretDetails, SecretInfo, SecretName } from './schemas/secret.ts'
import { HeldTool, PinnedServer, RunningServer, ServerTool } from './schemas/server.ts'
import { KillReport, Session } from './schemas/session.ts'
import { ProposedSetup, ResolvedProfile } from './schemas/setup.ts'
import { Timestamp } from './schemas/time.ts'
import { ToolCall } from './schemas/tool-call.ts'

/** Raised when a frame changes its meaning; client and host refuse each other on a difference. */
export const PROTOCOL_VERSION = 2

/** Longest frame either side reads, in bytes; a longer one ends the connection. */
export const MAX_FRAME_BYTES = 8 * 1024 * 1024

const text = z.string().max(65_536)
const nothing = z.object({})

const TerminalSize = z.object({
  columns: z.number().int().min(1).max(10_000),
  rows: z.number().int().min(1).max(10_000),
})

/** Whose rules: a folder's and a profile's, both as their files stand; `draft` takes the place of the profile's text. */
const PolicyQuestion = z.object({ cwd: z.string().max(4_096).optional(), profile: z.string().max(200).optional(), draft: z.string().max(262_144).optional() })

const SessionStartParams = z.object({
  cwd: z.string().max(4_096),
  command: z.array(text).min(1).max(1_024),
  profile: z.string().max(200).optional(),
  /** Values of the variables that `profile/resolve` asked for, and no others. */
  env: z.record(z.string().max(256), text),
  /** The viewer's terminal, or null when its streams are pipes or files. */
  terminal: TerminalSize.nullable(),
  sandbox: z.enum(['auto', 'off']),
  /** With `off` no checkpoint is taken, and nothing can be put back. Without it, a session that cannot have one does not start. */
  checkpoint: z.enum(['required', 'off']).optional(),
  /** For this session alone. */
  rules: SessionRules.optional(),
})

const command = <Params extends z.ZodType, Result extends z.ZodType>(params: Params, result: Result) => ({ params, result })

/** Every command of the contract, for every shell and every transport. */
export const COMMANDS = {
  'host/info': command(
    nothing,
    z.object({
      ...{ version: z.string(), pid: z.number().int(), startedAt: Timestamp, dataFolder: z.string(), sessions: z.number().int() },
      approvalsPage: z.string().nullable(),
      /** Why an edit of the user's counts as a session's for now, where it should not. */
      writeProblem: z.string().nullable().optional(),
    }),
  ),
  'host/stop': command(nothing, nothing),
  /** Looks at everything that holds an agent on this machine, by trying it. */
  'host/examine': command(nothing, z.object({ findings: z.array(Finding) })),
  /** How the agents of this machine, and of a project, are set up: what could go wrong. Reads and changes nothing. */
  'host/audit': command(
    z.object({ project: z.string().max(4_096).nullable() }),
    z.object({ findings: z.array(AuditedFinding), accepted: z.array(AcceptedFinding), logins: z.array(AuditedFinding), reach: z.array(AuditedReach), read: z.number().int(), skipped: z.array(z.object({ file: z.string(), why: z.string() })) }),
  ),
  /** The folders in a folder, for choosing one; null is the user's home. */
  'folder/list': command(
    z.object({ path: z.string().max(4_096).nullable() }),
    z.object({ path: z.string(), parent: z.string().nullable(), folders: z.array(z.object({ name: z.string(), hasGit: z.boolean() })), more: z.boolean() }),
  ),
  /** Where folders of this name lie below the user's home that hold all these entries: for one that was dropped on a page. */
  'folder/find': command(z.object({ name: z.string().min(1).max(255), holds: z.array(z.string().max(255)).max(100) }), z.object({ paths: z.array(z.string()) })),
  /** A link that logs one browser in, once, for a minute: it opens the approvals page's origin and goes on to the dashboard. */
  'dashboard/open': command(nothing, z.object({ url: z.string(), expiresAt: Timestamp })),
  /** Ends every login on the dashboard and the approvals page. */
  'dashboard/log-out': command(nothing, nothing),
  'profile/list': command(nothing, z.object({ profiles: z.array(ProfileListing) })),
  'profile/resolve': command(
    z.object({ cwd: z.string().max(4_096), command: z.array(text).min(1).max(1_024), profile: z.string().max(200).optional() }),
    ResolvedProfile,
  ),
  /** What would make the agent of this project a governed one. Writes nothing; see the `setup` of ProposedChange. */
  'setup/propose': command(z.object({ cwd: z.string().max(4_096), name: AgentName.optional() }), ProposedSetup),
  'policy/rules': command(PolicyQuestion, z.object({ layers: z.array(PolicyLayerRules), notices: z.array(z.string()) })),
  /** How one call would be decided, by rules on file or in a session that runs; nothing runs. */
  'policy/explain': command(PolicyQuestion.extend({ sessionId: SessionId.optional(), tool: z.string().min(1).max(256), input: z.unknown() }), ExplainedDecision),
  /** Which past calls these rules would decide otherwise. Without `cwd`, each by the rules of its own folder. */
  'policy/replay': command(PolicyQuestion.omit({ cwd: true }).extend({ sessionId: SessionId.optional() }), Replay),
  /** Asks for a change that a person confirms: see ProposedChange. A newer one for the same thing takes the place of the older. */
  'proposal/make': command(z.object({ change: ProposedChange }), Proposal),
  'proposal/list': command(nothing, z.object({ proposals: z.array(Proposal) })),
  'proposal/withdraw': command(z.object({ proposalId: ProposalId }), Proposal),
  /** `hash` must equal the proposal's: the answer is for exactly what was shown. */
  'proposal/decide': command(z.object({ proposalId: ProposalId, hash: z.string(), answer: z.enum(['apply', 'refuse']) }), Proposal),
  /** Starts a session and attaches this connection to its streams. */
  'session/start': command(SessionStartParams, Session),
  /** Attaches this connection to a session that a dashboard launched: what its terminal printed last, and from then on `session/output`. */
  'session/attach': command(z.object({ sessionId: SessionId }), z.object({ data: z.base64() })),
  'session/input': command(z.object({ sessionId: SessionId, data: z.base64() }), nothing),
  'session/end-input': command(z.object({ sessionId: SessionId }), nothing),
  'session/resize': command(z.object({ sessionId: SessionId, terminal: TerminalSize }), nothing),
  'session/signal': command(z.object({ sessionId: SessionId, signal: z.enum(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']) }), nothing),
  'session/list': command(nothing, z.object({ sessions: z.array(Session) })),
  'session/pause': command(z.object({ sessionId: SessionId }), Session),
  /** A message reaches the agent with its next step, and its model as the user's own word. */
  'session/resume': command(z.object({ sessionId: SessionId, message: z.string().min(1).max(4_096).optional() }), Session),
  'session/kill': command(
    z.object({ sessionIds: z.union([z.array(SessionId).min(1).max(1_000), z.literal('all')]), keepChanges: z.boolean() }),
    z.object({ reports: z.array(KillReport) }),
  ),
  'session/undo': command(z.object({ sessionId: SessionId }), RestoreReport),
  'checkpoint/list': command(z.object({ sessionId: SessionId }), z.object({ checkpoints: z.array(Checkpoint) })),
  /** Keeps the present state of a session's folders; works after the session too. */
  'checkpoint/create': command(z.object({ sessionId: SessionId }), Checkpoint),
  /** What changed since `from`, until `to` or now (null), and what no revert takes back. */
  'checkpoint/diff': command(
    z.object({ sessionId: SessionId, from: CheckpointId, to: CheckpointId.nullable() }),
    z.object({ diff: CheckpointDiff, irreversible: z.array(Irreversible) }),
  ),
  /** One changed file's text in a checkpoint, and in a later one or now (null). `path` as the diff names it. */
  'checkpoint/file': command(
    z.object({ sessionId: SessionId, from: CheckpointId, to: CheckpointId.nullable(), path: z.string().min(1).max(4_096) }),
    z.object({ before: FileSide, after: FileSide }),
  ),
  /** Of the whole folder only what the session changed; of chosen paths, relative to the root or absolute, everything. */
  'checkpoint/restore': command(
    z.object({ sessionId: SessionId, target: CheckpointId, paths: z.array(z.string().min(1).max(4_096)).min(1).max(10_000).optional() }),
    RestoreReport,
  ),
  /** The text of a diff that a `file/changed` entry names by its hash. */
  'checkpoint/recorded-diff': command(z.object({ sessionId: SessionId, sha256: z.string().regex(/^[0-9a-f]{64}$/) }), z.object({ text: z.string() })),
  'checkpoint/pin': command(z.object({ sessionId: SessionId, checkpointId: CheckpointId, pinned: z.boolean() }), Checkpoint),
  'checkpoint/usage': command(nothing, z.object({ projects: z.array(CheckpointUsage) })),
  'tool-call/list': command(z.object({ sessionId: SessionId }), z.object({ toolCalls: z.array(ToolCall) })),
  'approval/list': command(nothing, z.object({ requests: z.array(ApprovalRequest) })),
  'approval/decide': command(
    z.object({
      approvalId: ApprovalId,
      /** Must equal the request's: the answer is for exactly what was shown. */
      bindingHash: z.string(),
      answer: z.enum(['approve', 'deny']),
      scope: ApprovalScope.optional(),
      reason: z.string().max(4_096).optional(),
      /** Waiting requests for the very same call, shown as one: they get the same answer. */
      alike: z.array(ApprovalId).max(1_000).optional(),
      /** With `approve` and `once`: the call runs with these arguments. Only where the request says `mayChange`. */
      changedInput: z.unknown().optional(),
      /** With `always`: a rule, in the syntax of policies, that covers this call; without it the grant is for this call alone. */
      rule: z.string().max(1_000).optional(),
      /** With `deny`: the session is paused as well. */
      pause: z.boolean().optional(),
    }),
    ApprovalRequest,
  ),
  'approval/statistics': command(nothing, ApprovalStatistics),
  'grant/list': command(nothing, z.object({ grants: z.array(Grant) })),
  'grant/revoke': command(z.object({ grantId: GrantId }), Grant),
  /** With `after`, entries from there on; else the newest, below `before` where it is given. A page may hold fewer than `last`: go on at `next`. */
  'ledger/read': command(
    LedgerFilter.extend({
      after: z.number().int().nonnegative().optional(),
      before: z.number().int().positive().optional(),
      last: z.number().int().positive().max(10_000).optional(),
    }),
    z.object({ entries: z.array(LedgerEntry), next: z.number().int().nullable() }),
  ),
  /** Signs what is not signed yet, where there is a keychain. */
  'ledger/seal': command(nothing, nothing),
  /** The key that signs the ledger, PEM: all that another machine needs to check an export. */
  'ledger/key': command(nothing, z.object({ publicKey: z.string() })),
  /** Empties, for good, what agents said, asked for and got before this time. */
  'ledger/prune': command(z.object({ before: Timestamp }), z.object({ through: z.number().int(), entries: z.number().int() })),
  'ledger/verify': command(nothing, LedgerVerification),
  /** Where the host sends the ledger by itself: what the user's own ledger.yaml says. */
  'ledger/exports': command(nothing, z.object({ exports: z.array(LedgerExport) })),
  'agent/list': command(nothing, z.object({ agents: z.array(AgentIdentity), allowedSignersFile: z.string() })),
  'agent/rotate': command(z.object({ agent: z.string().min(1).max(200) }), AgentIdentity),
  'agent/retire': command(z.object({ agent: z.string().min(1).max(200) }), AgentIdentity),
  'secret/set': command(z.object({ name: SecretName, value: z.string().min(1).max(65_536), details: SecretDetails.optional() }), nothing),
  'secret/list': command(nothing, z.object({ secrets: z.array(SecretInfo) })),
  'secret/remove': command(z.object({ name: SecretName }), nothing),
  'server/list': command(nothing, z.object({ servers: z.array(PinnedServer) })),
  /** The tools of a server that are stopped, each with its definition before and now; at most 50 at a time. */
  'server/held': command(z.object({ key: z.string().max(128) }), z.object({ held: z.array(HeldTool) })),
  /** The tools of a server that were accepted. */
  'server/tools': command(z.object({ key: z.string().max(128) }), z.object({ tools: z.array(ServerTool) })),
  /** Takes a tool from every agent, at once. Giving it back is a ProposedChange. */
  'server/block': command(z.object({ key: z.string().max(128), tool: z.string().max(128) }), nothing),
  /** The servers of the sessions that run. */
  'server/running': command(nothing, z.object({ servers: z.array(RunningServer) })),
  'server/accept': command(
    z.object({ key: z.string().max(128), tools: z.array(z.object({ tool: z.string().max(128), hash: z.string().length(64) })).min(1).max(1_000) }),
    nothing,
  ),
  /** From now on this connection gets every event but other sessions' streams. */
  'event/subscribe': command(nothing, z.object({ sequence: z.number().int().nonnegative() })),
} as const

/** Every event of the contract. `session/output` goes to the attached connection alone. */
export const EVENTS = {
  'session/changed': Session,
  'session/output': z.object({ sessionId: SessionId, stream: z.enum(['terminal', 'stdout', 'stderr']), data: z.base64() }),
  'tool-call/changed': ToolCall,
  'approval/changed': ApprovalRequest,
  'proposal/changed': Proposal,
  'ledger/appended': LedgerEntry,
  'alarm/raised': z.object({ sessionId: SessionId.nullable(), message: z.string() }),
} as const

export type CommandName = keyof typeof COMMANDS
export type CommandParams<Name extends CommandName> = z.infer<(typeof COMMANDS)[Name]['params']>
export type CommandResult<Name extends CommandName> = z.infer<(typeof COMMANDS)[Name]['result']>
export type EventName = keyof typeof EVENTS
export type EventData<Name extends EventName> = z.infer<(typeof EVENTS)[Name]>

/** What a page may be. Who has the host's token asks for no more than that on a connection that it makes for a page. */
export const PageRole = z.enum(['dashboard', 'approver'])
export type PageRole = z.infer<typeof PageRole>

/** The first frame on a connection: proves that the client may decide, and that both speak the same protocol. */
export const Hello = z.object({
  hello: z.object({ protocol: z.number().int(), token: z.string().max(256), client: z.string().max(64), role: PageRole.optional() }),
})

export const Request = z.object({ id: z.number().int().nonnegative(), command: z.string().max(64), params: z.unknown() })
export type Request = z.infer<typeof Request>

export const Response = z.union([
  z.object({ id: z.number().int().nonnegative(), result: z.unknown() }).refine((frame) => 'result' in frame),
  z.object({ id: z.number().int().nonnegative(), error: ErrorBody }),
])
export type Response = z.infer<typeof Response>

/** `sandbox` stands in every event of a session that no container holds, and in no other. */
export const EventFrame = z.object({ sequence: z.number().int().positive(), event: z.string().max(64), data: z.unknown(), sandbox: z.literal('off').optional() })
export type EventFrame = z.infer<typeof EventFrame>
