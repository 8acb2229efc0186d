import { z } from 'zod'
import type { ToolCallId } from '../../../contract/ids.ts'
import { canonicalJson } from '../../../domain/ledger-chain.ts'
import type { HookContext, HookHandler } from '../adapter.ts'

/** Prefix of the tools that come from the broker, which asks about each of them itself. */
const BROKER_TOOLS = 'mcp__holdfast__'

const ToolEvent = z.object({
  tool_name: z.string().min(1).max(256),
  tool_input: z.unknown(),
  tool_use_id: z.string().max(256).optional(),
})

const PostEvent = ToolEvent.extend({ error: z.string().max(1_000_000).optional(), is_interrupt: z.boolean().optional() })

const decide = (permissionDecision: 'allow' | 'deny', permissionDecisionReason: string) => ({
  hookSpecificOutput: { hookEventName: 'PreToolUse', permissionDecision, permissionDecisionReason },
})

const permit = (decision: { behavior: 'allow' } | { behavior: 'deny'; message: string }) => ({
  hookSpecificOutput: { hookEventName: 'PermissionRequest', decision },
})

/**
 * The hooks of one Claude Code session (https://code.claude.com/docs/en/hooks). PreToolUse waits for the gate's answer.
 * Managed `ask: ["*"]` then raises PermissionRequest for the same call, which names no id: it is matched by tool and
 * input against calls just allowed, each allowance good for one request; anything unknown is denied.
 */
export const createClaudeCodeHooks = (): HookHandler => {
  const allowances = new Map<string, number>()
  const running = new Map<string, ToolCallId>()
  const keyOf = (tool: string, input: unknown): string => canonicalJson([tool, input])

  const preToolUse = async (body: unknown, context: HookContext): Promise<unknown> => {
    const event = ToolEvent.parse(body)
    const key = keyOf(event.tool_name, event.tool_input)
    if (!event.tool_name.startsWith(BROKER_TOOLS)) {
      const verdict = await context.gate.request({
        sessionId: context.sessionId,
        tool: event.tool_name,
        input: event.tool_input,
        toolUseId: event.tool_use_id ?? null,
        signal: context.signal,
      })
      if (!verdict.allowed) return decide('deny', verdict.reason)
      if (event.tool_use_id !== undefined) running.set(event.tool_use_id, verdict.toolCallId)
    }
    allowances.set(key, (allowances.get(key) ?? 0) + 1)
    return decide('allow', 'Allowed by Holdfast.')
  }

  const permissionRequest = (body: unknown, context: HookContext): unknown => {
    const event = ToolEvent.parse(body)
    const key = keyOf(event.tool_name, event.tool_input)
    const left = allowances.get(key) ?? 0
    if (left === 0) {
      context.raiseAlarm(`The agent asked to run ${event.tool_name} without its first hook; it was denied.`)
      return permit({ behavior: 'deny', message: 'Holdfast was not asked about this call before; it is denied.' })
    }
    if (left === 1) allowances.delete(key)
    else allowances.set(key, left - 1)
    return permit({ behavior: 'allow' })
  }

  const finish = (body: unknown, context: HookContext, ok: boolean): unknown => {
    const event = PostEvent.parse(body)
    const id = event.tool_use_id === undefined ? undefined : running.get(event.tool_use_id)
    if (id !== undefined && event.tool_use_id !== undefined) {
      running.delete(event.tool_use_id)
      context.gate.finish(id, { ok, summary: ok ? 'completed' : event.is_interrupt === true ? 'interrupted' : 'failed' })
    }
    return {}
  }

  return {
    handle: async (path, body, context) => {
      switch (path) {
        case 'pre-tool-use':
          return preToolUse(body, context)
        case 'permission-request':
          return permissionRequest(body, context)
        case 'post-tool-use':
          return finish(body, context, true)
        case 'post-tool-use-failure':
          return finish(body, context, false)
        default:
          throw new Error(`no such hook: ${path}`)
      }
    },
  }
}
