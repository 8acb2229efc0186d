import { z } from 'zod'
import { usageOfMessage } from '../message-usage.ts'
import { costMicroUsd, type PriceTable } from '../price.ts'

/** What an agent did in a project before, as its own transcripts say. */
export interface PastUse {
  readonly sessions: number
  /** How often each tool was called, by its full name. */
  readonly tools: Readonly<Record<string, number>>
  /** What the dearest of those sessions would cost at list price, in micro-dollars; null where no price is known. */
  readonly dearestMicroUsd: number | null
}

export interface PastUseReader {
  /** Takes one line of a transcript. What cannot be understood, or is of another folder, is passed over. */
  add(line: string): void
  result(): PastUse
}

/** Longest line that is looked into, in characters. */
export const MAX_TRANSCRIPT_LINE = 4 * 1024 * 1024
const MAX_TOOLS = 1_000

const short = z.string().min(1).max(512)
const ToolUse = z.object({ type: z.literal('tool_use'), id: short, name: short })
const Line = z.object({
  type: z.literal('assistant'),
  cwd: z.string().max(4_096),
  sessionId: short,
  message: z.object({ id: short, content: z.array(z.unknown()).max(1_000) }),
})

/** One unknown cost makes the sum unknown. */
const sumKnown = (costs: readonly (number | null)[]): number | null => costs.reduce((sum, cost) => (sum === null || cost === null ? null : sum + cost), 0)

/**
 * Reads Claude Code's transcripts (JSON lines) of one folder. A message is repeated there once for each block of its
 * content: its last usage counts, and each tool call once.
 */
export const createPastUseReader = (params: { readonly cwd: string; readonly prices: PriceTable }): PastUseReader => {
  const sessions = new Map<string, Map<string, number | null>>()
  const seen = new Set<string>()
  const tools = new Map<string, number>()

  const costOf = (message: unknown): number | null => {
    const usage = usageOfMessage(message)
    if (usage === null) return null
    return sumKnown(usage.parts.map((part) => costMicroUsd(params.prices, part, usage.terms)))
  }

  return {
    add(line) {
      if (line.length > MAX_TRANSCRIPT_LINE || !line.includes('"assistant"')) return
      let value: unknown
      try {
        value = JSON.parse(line)
      } catch {
        return
      }
      const parsed = Line.safeParse(value)
      if (!parsed.success || parsed.data.cwd !== params.cwd) return
      const { sessionId, message } = parsed.data
      const session = sessions.get(sessionId) ?? new Map<string, number | null>()
      sessions.set(sessionId, session.set(message.id, costOf((value as { message: unknown }).message)))
      for (const block of message.content) {
        const call = ToolUse.safeParse(block)
        if (!call.success || seen.has(call.data.id) || (!tools.has(call.data.name) && tools.size >= MAX_TOOLS)) continue
        seen.add(call.data.id)
        tools.set(call.data.name, (tools.get(call.data.name) ?? 0) + 1)
      }
    },
    result() {
      const known = [...sessions.values()].map((messages) => sumKnown([...messages.values()])).filter((cost) => cost !== null && cost > 0) as number[]
      return { sessions: sessions.size, tools: Object.fromEntries(tools), dearestMicroUsd: known.length === 0 ? null : Math.max(...known) }
    },
  }
}
