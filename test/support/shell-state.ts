import { ApprovalId, SessionId, ToolCallId } from '../../shared/contract/ids.ts'
import type { ApprovalRequest } from '../../shared/contract/schemas/approval.ts'
import { QUIET_MINUTE, type Session } from '../../shared/contract/schemas/session.ts'
import { NO_TOKENS } from '../../shared/contract/schemas/usage.ts'
import { decisionOf } from './fakes.ts'

/** Ids that differ in their last character: `b`, `c`, `d` … */
export const sessionId = (last: string): SessionId => SessionId.parse(`ses_22222222222${last}`)

export const aSession = (last: string, changes: Partial<Session> = {}): Session => ({
  id: sessionId(last),
  agent: 'tester',
  adapter: 'claude-code',
  command: ['claude'],
  cwd: '/home/me/web',
  state: 'running',
  container: 'linux',
  startedAt: 1_000,
  endedAt: null,
  exitCode: null,
  reason: null,
  startCheckpoint: null,
  notices: [],
  waitingApprovals: 0,
  toolCalls: { total: 0, read: 0, write: 0, destructive: 0, denied: 0 },
  usage: { billing: 'api-key', byModel: [], tokens: NO_TOKENS, requests: 1, costMicroUsd: 1_240_000, hasUnknownPrice: false, capMicroUsd: null },
  lastMinute: QUIET_MINUTE,
  ...changes,
})

export const anApproval = (last: string, changes: Partial<ApprovalRequest> = {}): ApprovalRequest => ({
  id: ApprovalId.parse(`apr_22222222222${last}`),
  toolCallId: ToolCallId.parse(`call_22222222222${last}`),
  sessionId: sessionId('b'),
  agent: 'tester',
  tool: 'Bash',
  input: { command: 'rm -rf build' },
  cwd: '/home/me/web',
  decision: decisionOf('ask'),
  bindingHash: 'a'.repeat(64),
  state: 'waiting',
  requestedAt: 1_000,
  expiresAt: 301_000,
  decidedAt: null,
  reason: null,
  words: null,
  foresight: null,
  grantRules: [],
  mayChange: false,
  ...changes,
})
