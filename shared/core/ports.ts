import type { AgentId, ApprovalId, CheckpointId, GrantId, ProposalId, SessionId, ToolCallId } from '../contract/ids.ts'
import type { Checkpoint, CheckpointDiff, CheckpointReason, CheckpointUsage, FileSide, RestoreReport } from '../contract/schemas/checkpoint.ts'
import type { LedgerBody } from '../contract/schemas/ledger-bodies.ts'
import type { LedgerEntry, LedgerFilter, LedgerKind, LedgerVerification } from '../contract/schemas/ledger.ts'
import type { SecretDetails, SecretInfo } from '../contract/schemas/secret.ts'
import type { Timestamp } from '../contract/schemas/time.ts'
import type { SealTrust } from '../domain/ledger-seal.ts'

export type * from './container-ports.ts'

/** The wall clock. Everything that decides by time gets one, so that a test can move it. */
export interface Clock {
  now(): Timestamp
}

/** Fresh unguessable ids. */
export interface IdSource {
  agent(): AgentId
  session(): SessionId
  toolCall(): ToolCallId
  approval(): ApprovalId
  checkpoint(): CheckpointId
  grant(): GrantId
  proposal(): ProposalId
}

/**
 * The OS keychain. Names and what is known of them are all that leaves it without being asked for by name. Throws HoldfastError `secret-unavailable`, with a message of its own for each of: no bus,
 * no provider, locked, dismissed. Never falls back to another place.
 */
export interface SecretStore {
  /**
   * The value, or null when there is no such item. `agent` is on whose behalf it is given out, which is noted. Throws
   * HoldfastError `secret-unavailable` also for one that has expired.
   */
  get(name: string, agent?: string): Promise<string | null>
  /** A new value has the owner and scope of the old one unless others are given, and its own expiry. */
  set(name: string, value: string, details?: SecretDetails): Promise<void>
  /** True when there was one. */
  remove(name: string): Promise<boolean>
  list(): Promise<readonly SecretInfo[]>
}

/** One page of a walk through the ledger. */
export interface LedgerPage {
  /** Oldest first. */
  readonly entries: readonly LedgerEntry[]
  /** Where to go on, as `after` or `before`; null at the end. A page may be empty before it. */
  readonly next: number | null
}

/** An Ed25519 key that seals the ledger. */
export interface LedgerSigner {
  /** Base64 of the SubjectPublicKeyInfo. */
  readonly publicKey: string
  /** Base64 of the signature over the text's UTF-8 bytes. */
  sign(text: string): string
}

/** What a verification compares seals with. */
export interface LedgerTrust extends SealTrust {
  /** Why nothing is signed, for a person; null when signing works. */
  readonly problem: string | null
}

/** The audit log. One writer. */
export interface Ledger {
  /**
   * Chains and stores one entry; when it returns, the entry is durable on disk.
   * Throws HoldfastError `ledger-unavailable` or `disk-full`: then the effect it announces must not happen.
   */
  append<Kind extends LedgerKind>(kind: Kind, sessionId: SessionId | null, body: LedgerBody<Kind>): LedgerEntry
  /**
   * The same, while other work goes on: stored when it returns, which outlives this process, and durable on disk once it
   * resolves. Throws at once where it cannot be stored; rejects where it may not be on disk.
   */
  appendSoon<Kind extends LedgerKind>(kind: Kind, sessionId: SessionId | null, body: LedgerBody<Kind>): Promise<LedgerEntry>
  /**
   * For what announces no effect: written when it returns, so that it outlives this process, and durable together with
   * the next entry that is, or within 20 ms. Where that fails nothing can be appended any more. Throws as `append` does.
   */
  appendLater<Kind extends LedgerKind>(kind: Kind, sessionId: SessionId | null, body: LedgerBody<Kind>): LedgerEntry
  /** Entries with a sequence above `after`, at most `limit`; the work of one page is bounded. */
  read(query: LedgerFilter & { after: number; limit: number }): LedgerPage
  /** The newest entries below `before`, at most `limit`; the work of one page is bounded. */
  tail(limit: number, query?: LedgerFilter & { before?: number | undefined }): LedgerPage
  /** Signs a Merkle root over every entry since the last seal, and records it; null when there is nothing new. */
  seal(signer: LedgerSigner): LedgerEntry | null
  /** Reads everything anew; other work goes on meanwhile. */
  verify(trust?: LedgerTrust): Promise<LedgerVerification>
  /** Empties, for good, the bodies of the content entries from before this time; the chain still verifies, and says so. */
  prune(before: Timestamp): Promise<{ through: number; entries: number }>
  close(): void
}

/** How long and how much a project's checkpoints are kept. */
export interface CheckpointLimits {
  readonly maxAgeMs: number
  readonly maxBytes: number
}

/** A session's folders as they were at one moment; only the store that made it reads it. */
export interface FolderState {
  readonly tree: string
  readonly extras: string
}

/** A commit that came since, and the SHA-256 of what its signature is over. */
export interface NewCommit {
  readonly oid: string
  readonly author: string
  readonly committer: string
  readonly payloadSha256: string
}

/** What changed in a session's folders, paths as in CheckpointDiff. */
export type FolderChanges = Pick<LedgerBody<'file/changed'>, 'counts' | 'files' | 'omitted' | 'diff'> & {
  readonly refs: LedgerBody<'git/moved'>['refs']
  readonly refsOmitted: number
  readonly commits: readonly NewCommit[]
}

/** Checkpoints of working trees, kept outside them. Paths are as `Checkpoint` shows them: relative to its root, or absolute. */
export interface CheckpointStore {
  /**
   * Keeps the state of the working tree that `root` lies in, and of `extraRoots` outside it. Writes nothing inside them
   * or their `.git`. `limits` are the project's from now on, until another session brings its own. `reach` as for `mark`.
   */
  create(params: { sessionId: SessionId; root: string; extraRoots?: readonly string[]; reason: CheckpointReason; limits?: CheckpointLimits; reach?: readonly string[] | null }): Promise<Checkpoint>
  /** The session's checkpoints, oldest first. */
  list(sessionId: SessionId): Promise<readonly Checkpoint[]>
  /** What changed from one checkpoint to another, or to the present (`to: null`): then also who changed it, and so what a revert would do. */
  diff(params: { sessionId: SessionId; from: CheckpointId; to: CheckpointId | null }): Promise<CheckpointDiff>
  /** A file's text in one checkpoint and in a later one, or now (`to: null`); never what a link leads to. */
  file(params: { sessionId: SessionId; from: CheckpointId; to: CheckpointId | null; path: string }): Promise<{ before: FileSide; after: FileSide }>
  /**
   * Brings the tree back to `target`, after keeping the present state as a checkpoint of its own, and pushes that
   * onto the session's undo stack. Can be run again after an interruption. What someone else changed meanwhile stays.
   * With `paths` only those files and folders, whoever changed them, and nothing of what git keeps. `goesOn`: the session
   * does afterwards, and what was set here is to count as nobody's change.
   */
  revert(params: { sessionId: SessionId; target: CheckpointId; paths?: readonly string[]; goesOn?: boolean }): Promise<RestoreReport>
  /**
   * Puts back what the session's last revert took away, and takes it off the stack; `goesOn` as for a revert.
   * Throws HoldfastError `nothing-to-undo` when there is none.
   */
  undo(params: { sessionId: SessionId; goesOn?: boolean }): Promise<RestoreReport>
  /**
   * Says whether from now on the session can write to its folders: `active` from its first checkpoint on, `quiet` while
   * none of its processes can, `over` for good. What changes while it cannot is not its own, and no revert of it touches
   * that. A look at the tree goes with each change of state: its result, null where there was none. `reach` names all that
   * it can change while it is active, absolute; null for everything.
   */
  mark(params: { sessionId: SessionId; state: 'active' | 'quiet' | 'over'; reach?: readonly string[] | null }): Promise<FolderState | null>
  /** How the session's folders are now; null for one without a checkpoint. */
  look(params: { sessionId: SessionId }): Promise<FolderState | null>
  /** What changed between two states; null for nothing. The text of it is kept, to be read by its hash while the session has checkpoints. */
  changes(params: { sessionId: SessionId; from: FolderState | CheckpointId; to: FolderState }): Promise<FolderChanges | null>
  /** The text of a recorded diff. Throws HoldfastError `not-found`. */
  recordedDiff(params: { sessionId: SessionId; sha256: string }): Promise<string>
  /**
   * The authors of all commits that the repository of the session's first checkpoint held then, each as `Name <email>`, a
   * space and the seconds since 1970. Empty where there is none.
   */
  authorsAtStart(sessionId: SessionId): Promise<ReadonlySet<string>>
  /** Keeps a checkpoint from retention, or gives it free again. */
  pin(params: { sessionId: SessionId; id: CheckpointId; pinned: boolean }): Promise<Checkpoint>
  /** Real disk use, project by project. */
  usage(): Promise<readonly CheckpointUsage[]>
  /**
   * Forgets that sessions were active which are not live. Then applies its limits to each project, or these where it has none of
   * its own: oldest unpinned first, never the start of a session that `isLive`; with null it clears nothing. Returns what it removed.
   */
  prune(params: { limits: CheckpointLimits | null; isLive: (sessionId: SessionId) => boolean }): Promise<readonly CheckpointId[]>
}

export interface ToolCallAsk {
  readonly sessionId: SessionId
  /** The name policy rules know it by: `Bash`, `mcp__server__tool`. */
  readonly tool: string
  readonly input: unknown
  /** The provider's tool_use id, or null when the agent gives none. */
  readonly toolUseId: string | null
  /** Why a call with this input is outside what its server may be used for: then it is denied, whatever policy says. */
  readonly outside?: (input: unknown) => string | null
  /** Hash of the tool's definition, for tools whose meaning may change under the same name. */
  readonly definition?: string
  /** Whether the asker makes the call with the verdict's `changedInput`, where a person has changed it. */
  readonly mayChange?: true
  /** The folder that relative paths start from now, absolute, where the agent says so. */
  readonly folder?: string
  /** Aborted when the asker has gone: the question is withdrawn and the call never runs. */
  readonly signal: AbortSignal
}

export type ToolCallVerdict =
  | {
      readonly allowed: true
      readonly toolCallId: ToolCallId
      /** What to make the call with instead: see `mayChange`. */
      readonly changedInput?: { readonly value: unknown }
    }
  | { readonly allowed: false; readonly toolCallId: ToolCallId; readonly reason: string }

/** The one gate every tool call passes, brokered or built in: policy, approval, ledger intent, in that order. */
export interface ToolCallGate {
  /** Resolves once decided; when `allowed`, the intent is already durable in the ledger. Never rejects: a fault denies. */
  request(ask: ToolCallAsk): Promise<ToolCallVerdict>
  /**
   * Records how an allowed call ended; of the result, when the agent shows it, the hash and size, how many secrets were
   * taken out of it, and what in it tries to instruct the agent.
   */
  finish(toolCallId: ToolCallId, outcome: { readonly ok: boolean; readonly summary: string; readonly result?: unknown; readonly redacted?: number; readonly marks?: readonly string[] }): void
}
