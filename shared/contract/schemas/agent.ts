import { z } from 'zod'
import { AgentId } from '../ids.ts'
import { Timestamp } from './time.ts'

/** An agent's key by its public half, in OpenSSH's form. One that is retired still verifies what it signed. */
export const AgentKey = z.object({ publicKey: z.string().regex(/^ssh-ed25519 [A-Za-z0-9+/=]{68}$/), createdAt: Timestamp, retiredAt: Timestamp.nullable() })

/** Who an agent is on this machine. */
export const AgentIdentity = z.object({
  id: AgentId,
  /** Its name; with `@` and a mark of the folder where the user's profile gives it none. */
  agent: z.string().max(200),
  /** Addresses it has committed with. */
  emails: z.array(z.string().max(1_000)).max(1_000),
  /** Newest last. */
  keys: z.array(AgentKey).max(10_000),
  createdAt: Timestamp,
  retiredAt: Timestamp.nullable(),
})
export type AgentIdentity = z.infer<typeof AgentIdentity>
