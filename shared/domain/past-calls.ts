import { z } from 'zod'
import type { SessionId, ToolCallId } from '../contract/ids.ts'
import { ToolCallId as ToolCallIdSchema } from '../contract/ids.ts'
import type { LedgerEntry } from '../contract/schemas/ledger.ts'
import { PolicyEffect } from '../contract/schemas/tool-call.ts'

/** A tool call as the ledger tells it. */
export interface PastCall {
  readonly toolCallId: ToolCallId
  readonly sessionId: SessionId
  readonly at: number
  readonly tool: string
  readonly input: unknown
  /** The session's working folder. */
  readonly cwd: string
  /** What policy decided then. */
  readonly was: PolicyEffect
}

const Started = z.object({ cwd: z.string() })
const Judged = z.object({ toolCallId: ToolCallIdSchema, tool: z.string(), input: z.unknown(), decision: z.object({ effect: PolicyEffect }) })
/** What stands in the place of an input too long to be recorded: see core/supervisor/tool-call-gate. */
const CutInput = z.strictObject({ sha256: z.string(), characters: z.number(), beginning: z.string() })

/**
 * Finds the calls in ledger entries given oldest first. For each entry: a call, `incomplete` for one that cannot be
 * judged anew (its input or its session's start is not in the ledger), or null when it tells of none.
 */
export const createPastCallReader = (): ((entry: LedgerEntry) => PastCall | 'incomplete' | null) => {
  const folders = new Map<SessionId, string>()
  return ({ kind, sessionId, at, body }) => {
    if (sessionId === null) return null
    if (kind === 'session/started') {
      const started = Started.safeParse(body)
      if (started.success) folders.set(sessionId, started.data.cwd)
      return null
    }
    if (kind !== 'tool-call/intent' && kind !== 'tool-call/decision') return null
    const judged = Judged.safeParse(body)
    const cwd = folders.get(sessionId)
    if (!judged.success || cwd === undefined) return 'incomplete'
    const { toolCallId, tool, input, decision } = judged.data
    if (input === undefined || CutInput.safeParse(input).success) return 'incomplete'
    return { toolCallId, sessionId, at, tool, input, cwd, was: decision.effect }
  }
}
