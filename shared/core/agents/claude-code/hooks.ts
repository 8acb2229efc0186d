import { createHash } from 'node:crypto'
import { z } from 'zod'
import type { ToolCallId } from '../../../contract/ids.ts'
import { canonicalJson } from '../../../domain/ledger-chain.ts'
import type { HookContext, HookHandler } from '../adapter.ts'
import { readTelemetry } from './own-figures.ts'

/** Prefix of the tools that come from the broker, which asks about each of them itself. */
const BROKER_TOOLS = 'mcp__holdfast__'

export const isBrokered = (tool: string): boolean => tool.startsWith(BROKER_TOOLS)

const Conversation = z.object({ session_id: z.string().min(1).max(256).optional(), prompt_id: z.string().max(256).optional() })

const ToolEvent = Conversation.extend({
  tool_name: z.string().min(1).max(256),
  tool_input: z.unknown(),
  tool_use_id: z.string().max(256).optional(),
  /** Where the agent's shell is now. */
  cwd: z.string().startsWith('/').max(4_096).optional(),
})

const PostEvent = ToolEvent.extend({ tool_response: z.unknown().optional(), error: z.string().max(1_000_000).optional(), is_interrupt: z.boolean().optional() })

const decide = (permissionDecision: 'allow' | 'deny', permissionDecisionReason: string) => ({
  hookSpecificOutput: { hookEventName: 'PreToolUse', permissionDecision, permissionDecisionReason },
})

/** Lets a call run; where a person has changed it, with these arguments, of which the model is told. */
const release = (changed: { readonly value: unknown } | undefined, message: string | null) => {
  const { hookSpecificOutput } = decide('allow', changed === undefined ? 'Allowed by Holdfast.' : 'Allowed by Holdfast, as the user changed it.')
  const told = [...(changed === undefined ? [] : [`The user changed the arguments of this call before it ran. It ran with: ${JSON.stringify(changed.value)}`]), ...(message === null ? [] : [fromUser(message)])]
  return {
    hookSpecificOutput: {
      ...hookSpecificOutput,
      ...(changed === undefined ? {} : { updatedInput: changed.value }),
      ...(told.length === 0 ? {} : { additionalContext: told.join('\n') }),
    },
  }
}

const fromUser = (message: string): string => `The user looked at what you did and says: ${message}`

const permit = (decision: { behavior: 'allow' } | { behavior: 'deny'; message: string }) => ({
  hookSpecificOutput: { hookEventName: 'PermissionRequest', decision },
})

/** Calls allowed and not yet asked about a second time; the oldest is forgotten, and so denied, when there are more. */
const MAX_ALLOWANCES = 1_000

/** Calls that were just allowed, by tool and input, each good for one question. */
const createAllowances = () => {
  const left = new Map<string, number>()
  const keyOf = (tool: string, input: unknown): string => createHash('sha256').update(canonicalJson([tool, input])).digest('base64')
  return {
    add: (tool: string, input: unknown): void => {
      const key = keyOf(tool, input)
      const count = left.get(key) ?? 0
      left.delete(key)
      left.set(key, count + 1)
      for (const oldest of left.keys()) {
        if (left.size <= MAX_ALLOWANCES) break
        left.delete(oldest)
      }
    },
    take: (tool: string, input: unknown): boolean => {
      const key = keyOf(tool, input)
      const count = left.get(key) ?? 0
      if (count > 1) left.set(key, count - 1)
      else left.delete(key)
      return count > 0
    },
  }
}

/**
 * The hooks of one Claude Code session (https://code.claude.com/docs/en/hooks). PreToolUse waits for the gate's answer.
 * Managed `ask: ["*"]` then raises PermissionRequest for the same call, which names no id: it is matched by tool and
 * input against calls just allowed, each allowance good for one request; anything unknown is denied.
 */
export const createClaudeCodeHooks = (): HookHandler => {
  const allowances = createAllowances()
  const running = new Map<string, ToolCallId>()

  const allow = (context: HookContext, event: z.infer<typeof ToolEvent>, toolCallId: ToolCallId | null, changed?: { readonly value: unknown }): unknown => {
    if (event.tool_use_id !== undefined && toolCallId !== null) running.set(event.tool_use_id, toolCallId)
    allowances.add(event.tool_name, changed === undefined ? event.tool_input : changed.value)
    return release(changed, context.takeMessage())
  }

  const preToolUse = async (body: unknown, context: HookContext): Promise<unknown> => {
    const event = ToolEvent.parse(body)
    if (!isBrokered(event.tool_name)) {
      const known = event.tool_use_id === undefined ? null : context.guard.report(event.tool_use_id, event.tool_name, event.tool_input)
      if (known?.kind === 'denied') return decide('deny', known.reason)
      if (known?.kind === 'allowed') return allow(context, event, known.toolCallId)
      const verdict = await context.gate.request({
        sessionId: context.sessionId,
        tool: event.tool_name,
        input: event.tool_input,
        toolUseId: event.tool_use_id ?? null,
        mayChange: true,
        ...(event.cwd === undefined ? {} : { folder: event.cwd }),
        signal: context.signal,
      })
      if (!verdict.allowed) return decide('deny', verdict.reason)
      return allow(context, event, verdict.toolCallId, verdict.changedInput)
    }
    return allow(context, event, null)
  }

  /** As `preToolUse`, known to those who wait for it: one that is given up was stopped by the person, with what followed. */
  const reported = async (body: unknown, context: HookContext): Promise<unknown> => {
    const { session_id: conversation, tool_use_id: id } = ToolEvent.parse(body)
    if (conversation === undefined || id === undefined) return preToolUse(body, context)
    context.window?.began(conversation, id)
    const answer = (await preToolUse(body, context)) as ReturnType<typeof decide>
    if (context.signal.aborted) context.window?.interrupted(conversation)
    else if (answer.hookSpecificOutput.permissionDecision === 'deny') context.window?.ended(conversation, id)
    return answer
  }

  const permissionRequest = (body: unknown, context: HookContext): unknown => {
    const event = ToolEvent.parse(body)
    if (!allowances.take(event.tool_name, event.tool_input)) {
      context.raiseAlarm(`The agent asked to run ${event.tool_name} without its first hook; it was denied.`)
      return permit({ behavior: 'deny', message: 'Holdfast was not asked about this call before; it is denied.' })
    }
    return permit({ behavior: 'allow' })
  }

  const finish = (body: unknown, context: HookContext, ok: boolean): unknown => {
    const event = PostEvent.parse(body)
    if (event.session_id !== undefined && event.tool_use_id !== undefined) {
      if (event.is_interrupt === true) context.window?.interrupted(event.session_id)
      else context.window?.ended(event.session_id, event.tool_use_id)
    }
    const id = event.tool_use_id === undefined ? undefined : running.get(event.tool_use_id)
    if (id !== undefined && event.tool_use_id !== undefined) {
      running.delete(event.tool_use_id)
      context.gate.finish(id, { ok, result: event.tool_response, summary: ok ? 'completed' : event.is_interrupt === true ? 'interrupted' : 'failed' })
    }
    const message = ok ? context.takeMessage() : null
    return message === null ? {} : { hookSpecificOutput: { hookEventName: 'PostToolUse', additionalContext: fromUser(message) } }
  }

  return {
    handle: async (path, body, context) => {
      const { session_id: conversation, prompt_id: promptId } = Conversation.parse(body)
      if (conversation !== undefined) context.guard.heardFrom(conversation, promptId ?? null)
      switch (path) {
        case 'user-prompt-submit':
          return {}
        case 'pre-tool-use':
          return reported(body, context)
        case 'permission-request':
          return permissionRequest(body, context)
        case 'post-tool-use':
          return finish(body, context, true)
        case 'post-tool-use-failure':
          return finish(body, context, false)
        case 'telemetry':
          for (const { conversation: name, figures } of readTelemetry(body)) context.told(name, 'telemetry', figures)
          return {}
        case 'stop': {
          const message = context.takeMessage()
          return message === null ? {} : { decision: 'block', reason: fromUser(message) }
        }
        default:
          throw new Error(`no such hook: ${path}`)
      }
    },
  }
}
