import { type Fields, isFields } from './json-fields.ts'

/** The name under which a denied call reaches the agent: no agent has such a tool, so it gets an ordinary tool error. */
export const DENIED_TOOL = 'HoldfastDenied'

/** A `tool_use` block that may not run, with all that is needed to put it back: so no map has to outlive the session. */
export interface DeniedInput {
  readonly tool: string
  readonly input: unknown
  readonly reason: string
}

/** A call that ran with arguments which a person put in the place of the model's. */
export interface ChangedInput {
  readonly tool: string
  /** As the model made it. */
  readonly input: unknown
  readonly changed: unknown
}

/** The result of a call as the model reads it: of a denied one the reason, of a changed one also what really ran. */
export const toldChange = (found: DeniedInput | ChangedInput | undefined, content: unknown): unknown => {
  if (found === undefined) return content
  if ('reason' in found) return found.reason
  const note = `The user changed the arguments of this call before it ran. It ran with: ${JSON.stringify(found.changed)}`
  return Array.isArray(content) ? [{ type: 'text', text: note }, ...(content as unknown[])] : `${note}\n${typeof content === 'string' ? content : JSON.stringify(content ?? '')}`
}

const deniedInput = (block: unknown): DeniedInput | null => {
  if (!isFields(block) || block['type'] !== 'tool_use' || block['name'] !== DENIED_TOOL || !isFields(block['input'])) return null
  const { tool, input, reason } = block['input']
  return typeof tool === 'string' && typeof reason === 'string' ? { tool, input, reason } : null
}

/**
 * The request's messages with every denied call as the model made it, and as its result the reason: so that the model
 * reads the truth; and every call that a person changed as the model made it, its result saying what ran. Null when there is none to put back; then the request can stay as it is, to the byte.
 */
export const restoreDenied = (messages: readonly unknown[], known: (toolUseId: string) => DeniedInput | ChangedInput | null = () => null): unknown[] | null => {
  const reasons = new Map<unknown, string>()
  const changes = new Map<unknown, ChangedInput>()
  const contentOf = (message: unknown): readonly unknown[] =>
    isFields(message) && Array.isArray(message['content']) ? (message['content'] as unknown[]) : []
  for (const block of messages.flatMap(contentOf)) {
    const denied = deniedInput(block)
    if (denied !== null) reasons.set((block as Fields)['id'], denied.reason)
    else if (isFields(block) && block['type'] === 'tool_use' && typeof block['id'] === 'string') {
      const found = known(block['id'])
      if (found !== null && 'changed' in found && found.tool === block['name']) changes.set(block['id'], found)
    }
  }
  if (reasons.size === 0 && changes.size === 0) return null
  const restore = (block: unknown): unknown => {
    const denied = deniedInput(block)
    if (denied !== null) return { ...(block as Fields), name: denied.tool, input: denied.input }
    if (isFields(block) && block['type'] === 'tool_use') return changes.has(block['id']) ? { ...block, input: changes.get(block['id'])?.input } : block
    if (!isFields(block) || block['type'] !== 'tool_result') return block
    const change = changes.get(block['tool_use_id'])
    if (change !== undefined) return { ...block, content: toldChange(change, block['content']) }
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
