import type { Irreversible } from '../contract/schemas/checkpoint.ts'
import type { LedgerEntry } from '../contract/schemas/ledger.ts'
import { ToolCall } from '../contract/schemas/tool-call.ts'

const Intent = ToolCall.pick({ tool: true, input: true, decision: true })

/** Words by which the classifier says that an effect is somewhere else. */
const ELSEWHERE = /publish|deploy|push|remote|sends|server|cloud|upload|opens a connection|database/i
const SHOWN_CHARACTERS = 200

/**
 * What of a session's ledger entries no checkpoint takes back: calls of outside tools that do more than read, and
 * commands that push, publish, deploy or send. Oldest first.
 */
export const irreversibleCalls = (entries: readonly LedgerEntry[]): Irreversible[] =>
  entries.flatMap((entry) => {
    const { success, data } = Intent.safeParse(entry.body)
    if (entry.kind !== 'tool-call/intent' || !success || data.decision === null) return []
    const { class: actionClass, reasons } = data.decision.classification
    const command = (data.input as { command?: unknown } | null)?.command
    const told = typeof command === 'string' ? command : reasons.join('; ')
    const elsewhere = data.tool.startsWith('mcp__') || reasons.some((reason) => ELSEWHERE.test(reason)) || (typeof command === 'string' && /\bpush\b/.test(command))
    return actionClass === 'read' || !elsewhere ? [] : [{ at: entry.at, tool: data.tool, what: told.slice(0, SHOWN_CHARACTERS) }]
  })
