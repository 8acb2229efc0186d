import { z } from 'zod'

/** Characters of an id's random part: no vowels and no look-alikes, so an id never spells a word or is misread. */
export const ID_ALPHABET = '23456789bcdfghjkmnpqrstvwxz'
const ID_LENGTH = 12

const idSchema = <Prefix extends string>(prefix: Prefix) =>
  z
    .string()
    .regex(new RegExp(`^${prefix}_[${ID_ALPHABET}]{${ID_LENGTH}}$`), `must look like ${prefix}_ and ${ID_LENGTH} letters or digits`)
    .brand<Prefix>()

export const SessionId = idSchema('ses')
export type SessionId = z.infer<typeof SessionId>

export const ToolCallId = idSchema('call')
export type ToolCallId = z.infer<typeof ToolCallId>

/** Never equal to the id of the call it asks about: one call may be asked about twice, each question once. */
export const ApprovalId = idSchema('apr')
export type ApprovalId = z.infer<typeof ApprovalId>

export const CheckpointId = idSchema('chk')
export type CheckpointId = z.infer<typeof CheckpointId>

export const GrantId = idSchema('grt')
export type GrantId = z.infer<typeof GrantId>

export const ProposalId = idSchema('prp')
export type ProposalId = z.infer<typeof ProposalId>

/** An agent of this machine, whatever its sessions. */
export const AgentId = idSchema('agt')
export type AgentId = z.infer<typeof AgentId>

export type IdPrefix = 'ses' | 'call' | 'apr' | 'chk' | 'grt' | 'prp' | 'agt'

/**
 * Builds an id from random bytes the caller provides, so that this stays pure.
 * Promises one character per byte used; throws RangeError when fewer than 12 bytes are given.
 */
export const formatId = (prefix: IdPrefix, random: Uint8Array): string => {
  if (random.length < ID_LENGTH) throw new RangeError(`an id needs ${ID_LENGTH} random bytes`)
  let text = `${prefix}_`
  for (let i = 0; i < ID_LENGTH; i += 1) text += ID_ALPHABET[(random[i] ?? 0) % ID_ALPHABET.length]
  return text
}
