import type { ToolUseGuard } from './tool-use-guard.ts'

/** How long the hook of a released call may take, while no other call of its conversation runs, in ms. */
const HOOK_WINDOW_MS = 30_000
/** Conversations whose calls are waited for; of more, the oldest are no longer. */
const MAX_CONVERSATIONS = 1_000

/** Calls that the model's answer gave to a conversation with hooks, until each has been reported by its hook. */
export interface HookWindow {
  released(conversation: string, toolUseId: string): void
  /** A hook says that the call begins. */
  began(conversation: string, toolUseId: string): void
  /** It is over, or was denied. */
  ended(conversation: string, toolUseId: string): void
  /** The person stopped the agent: what it had not begun it will not. */
  interrupted(conversation: string): void
  /** The agent has told what came of it. */
  answered(toolUseId: string): void
  close(): void
}

export interface HookWindowDeps {
  /** Whether the session runs: while it is paused, no time passes. */
  readonly isRunning: () => boolean
  /** A call was not reported in time. */
  readonly onMissed: () => void
  readonly windowMs?: number
}

interface Conversation {
  readonly awaited: Set<string>
  readonly running: Set<string>
  timer: NodeJS.Timeout | undefined
}

/**
 * Whatever runs in a session can claim that a conversation has hooks. The claim is worth no more than this: a call that
 * no hook reports in time, with none before it still running, is told of.
 */
export const createHookWindow = ({ isRunning, onMissed, windowMs = HOOK_WINDOW_MS }: HookWindowDeps): HookWindow => {
  const conversations = new Map<string, Conversation>()
  const of = (name: string): Conversation => {
    const known = conversations.get(name) ?? { awaited: new Set(), running: new Set(), timer: undefined }
    conversations.set(name, known)
    for (const [oldest, { timer }] of conversations) {
      if (conversations.size <= MAX_CONVERSATIONS) break
      clearTimeout(timer)
      conversations.delete(oldest)
    }
    return known
  }
  const late = (conversation: Conversation): void => {
    if (!isRunning()) return wait(conversation)
    conversation.awaited.clear()
    onMissed()
  }
  const wait = (conversation: Conversation): void => {
    clearTimeout(conversation.timer)
    const { awaited, running } = conversation
    if (awaited.size > 0 && running.size === 0) conversation.timer = setTimeout(late, windowMs, conversation).unref()
  }
  return {
    released: (name, toolUseId) => {
      const conversation = of(name)
      conversation.awaited.add(toolUseId)
      wait(conversation)
    },
    began: (name, toolUseId) => {
      const conversation = of(name)
      conversation.awaited.delete(toolUseId)
      conversation.running.add(toolUseId)
      wait(conversation)
    },
    ended: (name, toolUseId) => {
      const conversation = of(name)
      conversation.running.delete(toolUseId)
      wait(conversation)
    },
    interrupted: (name) => {
      const conversation = of(name)
      conversation.awaited.clear()
      conversation.running.clear()
      wait(conversation)
    },
    answered: (toolUseId) => {
      for (const conversation of conversations.values()) if (conversation.awaited.delete(toolUseId)) wait(conversation)
    },
    close: () => {
      for (const { timer } of conversations.values()) clearTimeout(timer)
      conversations.clear()
    },
  }
}

/**
 * Holds what a guard gives to conversations with hooks against what the hooks report in time. From the first call that
 * none reports, every call is asked about at the gateway.
 */
export const watchHooks = (guard: ToolUseGuard, deps: HookWindowDeps & { readonly isBrokered: (tool: string) => boolean }): { guard: ToolUseGuard; window: HookWindow } => {
  let trusts = true
  const window = createHookWindow({
    ...deps,
    onMissed: () => {
      trusts = false
      deps.onMissed()
    },
  })
  return {
    window,
    guard: {
      ...guard,
      judge: (call, conversation, gone) => {
        const verdict = guard.judge(call, trusts ? conversation : null, gone)
        // What was asked about takes its time; what is given unasked is there at once.
        if (!(verdict instanceof Promise) && verdict.released && conversation !== null && !deps.isBrokered(call.tool)) window.released(conversation, call.id)
        return verdict
      },
      observe: (results) => {
        for (const { toolUseId } of results) window.answered(toolUseId)
        guard.observe(results)
      },
    },
  }
}
