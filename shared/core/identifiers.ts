import { randomBytes } from 'node:crypto'
import { AgentId, ApprovalId, CheckpointId, formatId, GrantId, ProposalId, SessionId, ToolCallId } from '../contract/ids.ts'
import type { Clock, IdSource } from './ports.ts'

const LENGTH = 12
/** Asked of the system for many ids at once: once a call, it was a fortieth of what a brokered call takes. */
let pool = Buffer.alloc(0)

/** No byte is given twice. */
const random = (): Uint8Array => {
  if (pool.length < LENGTH) pool = randomBytes(LENGTH * 100)
  const bytes = pool.subarray(0, LENGTH)
  pool = pool.subarray(LENGTH)
  return bytes
}

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
