import { z } from 'zod'

const count = z.number().int().nonnegative()

/** One thing that a call would touch, as far as its arguments say. */
export const Touch = z.object({ kind: z.enum(['path', 'ref', 'host', 'table', 'resource']), name: z.string().max(4_096) })
export type Touch = z.infer<typeof Touch>

/** What one part of a call would do, looked up without doing it. */
export const PreviewPart = z.object({
  /** The command or file it is about. */
  about: z.string(),
  /** What it would do, or why that was not computed. */
  summary: z.string(),
  computed: z.boolean(),
  lines: z.array(z.string()).max(500),
  /** How many more lines there are. */
  more: count,
})
export type PreviewPart = z.infer<typeof PreviewPart>

/** What can be said of a call before it runs: a picture of the moment it was asked about, for a person, and no promise. */
export const Foresight = z.object({
  touches: z.array(Touch).max(200),
  moreTouches: count,
  /** Whether anything in the call names production. */
  production: z.boolean(),
  preview: z.array(PreviewPart).max(20),
  /** Whether a checkpoint would bring back all that a destructive call destroys, and why or why not; null for any other call. */
  recoverable: z.object({ covered: z.boolean(), why: z.string() }).nullable(),
})
export type Foresight = z.infer<typeof Foresight>
