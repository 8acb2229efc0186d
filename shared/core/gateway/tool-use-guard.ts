import type { SessionId, ToolCallId } from '../../contract/ids.ts'
import type { PolicyEffect } from '../../contract/schemas/tool-call.ts'
import type { ChangedInput, DeniedInput, ToolResult } from '../../domain/denied-tool-use.ts'
import { isFields } from '../../domain/json-fields.ts'
import type { ToolCallGate } from '../ports.ts'
import { isSame, shapeOf, shows, type Shape } from './call-shape.ts'
import type { AskedCall, ToolUseVerdict } from './tool-use-filter.ts'

/** Calls and conversations of a session that are remembered; the oldest go first. */
const MAX_REMEMBERED = 10_000

/** What the hook of a call learns from the gateway's side of it. */
export type HookAnswer =
  /** The gateway has released it, or knows nothing against it: the hook asks the gate. */
  | { readonly kind: 'ask' }
  /** A person or the policy has allowed it at the gateway already. */
  | { readonly kind: 'allowed'; readonly toolCallId: ToolCallId }
  /** The agent shows another call than the model made. */
  | { readonly kind: 'denied'; readonly reason: string }

/** The gateway's side of one session's tool calls, held against what the agent's hooks report. */
export interface ToolUseGuard {
  /** Judges one call of the model's answer. `conversation` is the agent's own name for it, null when it gave none. */
  judge(call: AskedCall, conversation: string | null, gone: AbortSignal): ToolUseVerdict | Promise<ToolUseVerdict>
  /** Looks at what the agent says came of its calls: one that ran without its hook shows that the hooks are off. */
  observe(results: readonly ToolResult[]): void
  /** A hook of this conversation has reported, so its calls will be asked about there; with the agent's name of the prompt it is at. */
  heardFrom(conversation: string, promptId?: string | null): void
  promptOf(conversation: string | null): string | null
  /** What was denied or changed in this session under an id; null when nothing was. */
  deniedAs(toolUseId: string): DeniedInput | ChangedInput | null
  /** A hook reports a call that is about to run. */
  report(toolUseId: string, tool: string, input: unknown): HookAnswer
}

export interface ToolUseGuardDeps {
  readonly sessionId: SessionId
  readonly gate: ToolCallGate
  /** What policy says, without asking anybody; null when the session is not running. */
  readonly judge: (tool: string, input: unknown) => PolicyEffect | null
  /** Tools that pass the broker, which nothing can skip: they are judged there. */
  readonly isBrokered: (tool: string) => boolean
  /** A call under the name that rules know it by. */
  readonly canonical: (tool: string, input: unknown) => { readonly tool: string; readonly input: unknown }
  /** Something does not add up; from now on the gateway asks about every call itself. */
  readonly onTampering: (message: string) => void
  readonly raiseAlarm: (message: string) => void
}

interface Released {
  readonly shape: Shape
  isReported: boolean
}

const remember = <Key, Value>(map: Map<Key, Value>, key: Key, value: Value): void => {
  map.set(key, value)
  for (const oldest of map.keys()) {
    if (map.size <= MAX_REMEMBERED) break
    map.delete(oldest)
  }
}

/**
 * A call that policy denies never reaches the agent. Any other is released to a conversation whose hooks report, where
 * it is asked about; in one that has no hooks (a second agent, started by the first), and once the hooks have been
 * caught missing or lying, the gateway asks itself and holds the call meanwhile.
 */
export const createToolUseGuard = (deps: ToolUseGuardDeps): ToolUseGuard => {
  /** By conversation, the prompt it is at. */
  const hooked = new Map<string, string | null>()
  const released = new Map<string, Released>()
  const allowed = new Map<string, { readonly shape: Shape; readonly toolCallId: ToolCallId }>()
  const denied = new Map<string, DeniedInput | ChangedInput>()
  let asksItself = false

  const distrust = (message: string): void => {
    if (!asksItself) deps.onTampering(message)
    asksItself = true
  }

  const ask = async (call: AskedCall, gone: AbortSignal): Promise<ToolUseVerdict> => {
    const { id, tool, input } = call
    const known = deps.canonical(tool, input)
    // A person changes what is shown: it can be given to the agent where that is the agent's own form of the call.
    const isOwnForm = known.tool === tool && isFields(input) && isSame(shapeOf(tool, input), shapeOf(known.tool, known.input))
    const verdict = await deps.gate.request({ sessionId: deps.sessionId, ...known, toolUseId: id, signal: gone, ...(isOwnForm ? { mayChange: true as const } : {}) })
    if (!verdict.allowed) {
      remember(denied, id, { tool, input, reason: verdict.reason })
      return { released: false, reason: verdict.reason }
    }
    const { changedInput, toolCallId } = verdict
    remember(allowed, id, { shape: shapeOf(tool, changedInput === undefined ? input : changedInput.value), toolCallId })
    if (changedInput === undefined) return { released: true }
    remember(denied, id, { tool, input, changed: changedInput.value })
    return { released: true, changedInput }
  }

  return {
    judge: (call, conversation, gone) => {
      if (deps.isBrokered(call.tool)) return { released: true }
      const known = deps.canonical(call.tool, call.input)
      const isHooked = conversation !== null && hooked.has(conversation)
      if (deps.judge(known.tool, known.input) === 'deny' || asksItself || !isHooked) return ask(call, gone)
      remember(released, call.id, { shape: shapeOf(call.tool, call.input), isReported: false })
      return { released: true }
    },

    observe: (results) => {
      for (const { toolUseId, isError } of results) {
        const held = allowed.get(toolUseId)
        if (held !== undefined) {
          allowed.delete(toolUseId)
          deps.gate.finish(held.toolCallId, { ok: !isError, summary: isError ? 'failed' : 'completed' })
        }
        const call = released.get(toolUseId)
        if (call === undefined || call.isReported || isError) continue
        call.isReported = true
        distrust('The agent ran a tool call that its hooks did not report: they are switched off. Every call is now asked about before the agent has it.')
      }
    },

    heardFrom: (conversation, promptId = null) => remember(hooked, conversation, promptId),

    promptOf: (conversation) => (conversation === null ? null : (hooked.get(conversation) ?? null)),

    deniedAs: (toolUseId) => denied.get(toolUseId) ?? null,

    report: (toolUseId, tool, input) => {
      if (deps.isBrokered(tool)) return { kind: 'ask' }
      const shown = shapeOf(tool, input)
      const known = allowed.get(toolUseId)
      const call = released.get(toolUseId)
      const made = (known ?? call)?.shape
      if (made !== undefined && !shows(shown, made)) {
        distrust(`The agent reported another ${tool} call than the model made; it was denied.`)
        return { kind: 'denied', reason: 'Denied by Holdfast: this is not the call that the model made.' }
      }
      if (known !== undefined) {
        allowed.delete(toolUseId)
        // What was allowed is what was judged: a call that the agent has completed since is judged as it is now.
        return isSame(shown, known.shape) ? { kind: 'allowed', toolCallId: known.toolCallId } : { kind: 'ask' }
      }
      if (call !== undefined) call.isReported = true
      else deps.raiseAlarm(`The agent reported a ${tool} call that the model did not make through Holdfast.`)
      return { kind: 'ask' }
    },
  }
}
