import { z } from 'zod'
import { ProposalId } from '../ids.ts'
import { AgentName } from './profile.ts'
import { Timestamp } from './time.ts'

const hash = z.string().regex(/^[0-9a-f]{64}$/)

export const ProfileName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, 'letters, digits, . _ and -, starting with a letter or digit, at most 100')

/** A change of what agents may do: the dashboard asks for it, and a person confirms it on the approvals page. */
export const ProposedChange = z.discriminatedUnion('kind', [
  /** The user's profile of this name, whole. `base` is the SHA-256 of the text that was edited, null for a new one. */
  z.object({ kind: z.literal('profile'), name: ProfileName, text: z.string().max(262_144), base: hash.nullable() }),
  /** The files that make the agent of a project a governed one: those that are not there yet, as the host proposes them. */
  z.object({ kind: z.literal('setup'), cwd: z.string().max(4_096), name: AgentName }),
  /** Stopped tools of a server, each with the definition that was read. */
  z.object({ kind: z.literal('accept-tools'), key: z.string().max(128), tools: z.array(z.object({ tool: z.string().max(128), hash })).min(1).max(50) }),
  /** A tool of a server that was switched off. */
  z.object({ kind: z.literal('allow-tool'), key: z.string().max(128), tool: z.string().max(128) }),
])
export type ProposedChange = z.infer<typeof ProposedChange>

export const ProposalState = z.enum(['waiting', 'applied', 'refused', 'expired', 'withdrawn', 'failed'])
export type ProposalState = z.infer<typeof ProposalState>

/** A proposed change as a person is shown it, made by the host and not by the page that asked. */
export const Proposal = z.object({
  id: ProposalId,
  kind: z.enum(['profile', 'setup', 'accept-tools', 'allow-tool']),
  /** What it is about: a profile's file, a server. */
  subject: z.string(),
  title: z.string(),
  /** Each text that changes: null where there is none before. */
  texts: z.array(z.object({ name: z.string(), before: z.string().nullable(), after: z.string() })),
  /** What agents could do then that they cannot now, and the other way round. */
  wider: z.array(z.string()),
  narrower: z.array(z.string()),
  /** SHA-256 of all of it: the answer binds to it. */
  hash,
  state: ProposalState,
  requestedAt: Timestamp,
  expiresAt: Timestamp,
  /** Why it was not carried out. */
  reason: z.string().nullable(),
})
export type Proposal = z.infer<typeof Proposal>
