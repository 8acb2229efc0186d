import { type Fields, isFields } from './json-fields.ts'

/** The name under which a denied call reaches the agent: no agent has such a tool, so it gets an ordinary tool error. */
export const DENIED_TOOL = 'HoldfastDenied'

/** A `tool_use` block that may not run, with all that is needed to put it back: so no map has to outlive the session. */
export interface DeniedInput {
  readonly tool: string
  readonly input: unknown
  readonly reason: string
}

const deniedInput = (block: unknown): DeniedInput | null => {
  if (!isFields(block) || block['type'] !== 'tool_use' || block['name'] !== DENIED_TOOL || !isFields(block['input'])) return null
  const { tool, input, reason } = block['input']
  return typeof tool === 'string' && typeof reason === 'string' ? { tool, input, reason } : null
}

/**
 * The request's messages with every denied call as the model made it, and as its result the reason: so that the model
 * reads the truth. Null when there is none to put back; then the request can stay as it is, to the byte.
 */
export const restoreDenied = (messages: readonly unknown[]): unknown[] | null => {
  const reasons = new Map<unknown, string>()
  const contentOf = (message: unknown): readonly unknown[] =>
    isFields(message) && Array.isArray(message['content']) ? (message['content'] as unknown[]) : []
  for (const block of messages.flatMap(contentOf)) {
    const denied = deniedInput(block)
    if (denied !== null) reasons.set((block as Fields)['id'], denied.reason)
  }
  if (reasons.size === 0) return null
  const restore = (block: unknown): unknown => {
    const denied = deniedInput(block)
    if (denied !== null) return { ...(block as Fields), name: denied.tool, input: denied.input }
    if (!isFields(block) || block['type'] !== 'tool_result') return block
    const reason = reasons.get(block['tool_use_id'])
    return reason === undefined ? block : { ...block, content: reason, is_error: true }
  }
  return messages.map((message) => {
    const content = contentOf(message)
    return content.length === 0 ? message : { ...(message as Fields), content: content.map(restore) }
  })
}

/** A tool's result in a request, as far as the gateway looks at it. */
export interface ToolResult {
  readonly toolUseId: string
  readonly isError: boolean
}

/** Results of tool calls in a request's messages, oldest first. */
export const toolResultsIn = (messages: readonly unknown[]): ToolResult[] =>
  messages.flatMap((message) => {
    if (!isFields(message) || !Array.isArray(message['content'])) return []
    return (message['content'] as unknown[]).flatMap((block): ToolResult[] => {
      if (!isFields(block) || block['type'] !== 'tool_result' || typeof block['tool_use_id'] !== 'string') return []
      return [{ toolUseId: block['tool_use_id'], isError: block['is_error'] === true }]
    })
  })
