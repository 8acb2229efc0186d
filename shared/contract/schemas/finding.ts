import { z } from 'zod'

/**
 * One thing that was looked at on this machine. `fail`: no session can be started or held like this. `warn`: sessions
 * run, and something is missing. `todo` says what to do about it, null where there is nothing to do.
 */
export const Finding = z.object({
  name: z.string(),
  state: z.enum(['ok', 'warn', 'fail']),
  message: z.string(),
  todo: z.string().nullable(),
})
export type Finding = Readonly<z.infer<typeof Finding>>

/** One thing that could go wrong with agents as they are set up, where it stands, and what to do. Holds no secret. */
export const AuditedFinding = z.object({
  /** What `holdfast audit --accept` calls it by. */
  id: z.string(),
  rule: z.string(),
  severity: z.enum(['high', 'medium', 'low']),
  threat: z.string(),
  file: z.string().nullable(),
  line: z.number().int().nullable(),
  what: z.string(),
  why: z.string(),
  fix: z.string(),
  /** Whether `holdfast audit --fix` can do that. */
  fixable: z.boolean(),
})
export type AuditedFinding = z.infer<typeof AuditedFinding>

/** A finding that a person took as it is; it is one again once what it is about changes. */
export const AcceptedFinding = AuditedFinding.extend({ reason: z.string(), acceptedAt: z.number().int() })
export type AcceptedFinding = z.infer<typeof AcceptedFinding>

/** Something within reach of agents that run as this user; of the one named, where it is one agent's own. Never a secret. */
export const AuditedReach = z.object({
  kind: z.enum(['server', 'credential']),
  agent: z.string().nullable(),
  name: z.string(),
  detail: z.string(),
  file: z.string(),
  line: z.number().int().nullable(),
})
export type AuditedReach = z.infer<typeof AuditedReach>
