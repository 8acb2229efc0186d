import { z } from 'zod'
import { Timestamp } from './time.ts'

export const SecretName = z
  .string()
  .max(200)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._@-]*(\/[A-Za-z0-9][A-Za-z0-9._@-]*)*$/, 'letters, digits, . _ @ - and / between parts')

const words = z.string().min(1).max(200)

/** What a person or a recipe says of a secret when it is kept. */
export const SecretDetails = z.strictObject({
  /** From then on it is given to nobody. */
  expiresAt: Timestamp.optional(),
  /** Whose account it opens: an agent's own, one hopes. */
  owner: words.optional(),
  /** How far it goes. */
  scope: words.optional(),
})
export type SecretDetails = z.infer<typeof SecretDetails>

/** A kept secret, without its value. */
export const SecretInfo = SecretDetails.extend({
  name: SecretName,
  /** When its present value was kept. */
  createdAt: Timestamp,
  /** When it was last given out, to the hour, and to which agent. */
  usedAt: Timestamp.optional(),
  usedBy: words.optional(),
})
export type SecretInfo = z.infer<typeof SecretInfo>
