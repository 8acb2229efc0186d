import { z } from 'zod'
import { SessionId } from '../ids.ts'
import { Timestamp } from './time.ts'

const hash = z.string().regex(/^[0-9a-f]{64}$/)

/** A tool that no agent may use until a person has seen why it was stopped. */
export const HeldTool = z.object({
  tool: z.string().max(128),
  /** What a person accepts: this definition and no other. */
  hash,
  reasons: z.array(z.string().max(500)).max(50),
  /** The definition that was accepted before, as JSON; null for a tool that is new. */
  before: z.string().nullable(),
  /** The definition as the server gives it now, as JSON. */
  after: z.string(),
  heldAt: Timestamp,
})
export type HeldTool = z.infer<typeof HeldTool>

/** The package that a server was first run from: any other content is another server. */
export const PinnedPackage = z.object({ name: z.string().max(256), version: z.string().max(256), integrity: z.string().max(1_024) })
export type PinnedPackage = z.infer<typeof PinnedPackage>

/** A tool of a server that was accepted once; `allowed` is the switch that takes it from every agent. */
export const ServerTool = z.object({ tool: z.string().max(128), description: z.string(), allowed: z.boolean() })
export type ServerTool = z.infer<typeof ServerTool>

/** A server as it runs for one session. */
export const RunningServer = z.object({
  sessionId: SessionId,
  name: z.string().max(64),
  state: z.enum(['starting', 'ready', 'restarting', 'unavailable', 'closed']),
  /** Why it is not ready; null when there is nothing to say. */
  message: z.string().nullable(),
  tools: z.number().int(),
  /** The end of what it wrote to its standard error, without known secrets. */
  log: z.string(),
})
export type RunningServer = z.infer<typeof RunningServer>

/** What is known of an MCP server that was used here. */
export const PinnedServer = z.object({
  /** Name and launch: another command under the same name is another server. */
  key: z.string().max(128),
  name: z.string().max(64),
  launch: z.string().max(4_096),
  pinnedAt: Timestamp,
  /** null when it is not run by npx. */
  package: PinnedPackage.nullable(),
  tools: z.number().int(),
  held: z.array(HeldTool.pick({ tool: true, hash: true, reasons: true, heldAt: true })),
})
export type PinnedServer = z.infer<typeof PinnedServer>
