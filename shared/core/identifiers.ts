import { randomBytes } from 'node:crypto'
import { AgentId, ApprovalId, CheckpointId, formatId, GrantId, ProposalId, SessionId, ToolCallId } from '../contract/ids.ts'
import type { Clock, IdSource } from './ports.ts'

const random = (): Uint8Array => randomBytes(12)

/** Ids from the system's random source. */
export const randomIds: IdSource = {
  agent: () => AgentId.parse(formatId('agt', random())),
  session: () => SessionId.parse(formatId('ses', random())),
  toolCall: () => ToolCallId.parse(formatId('call', random())),
  approval: () => ApprovalId.parse(formatId('apr', random())),
  grant: () => GrantId.parse(formatId('grt', random())),
  proposal: () => ProposalId.parse(formatId('prp', random())),
  checkpoint: () => CheckpointId.parse(formatId('chk', random())),
}

export const systemClock: Clock = { now: () => Date.now() }
