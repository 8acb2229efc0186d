import { DENIED_TOOL, type DeniedInput } from '../../../domain/denied-tool-use.ts'
import { isFields } from '../../../domain/json-fields.ts'
import type { DeniedCall } from '../tool-use-filter.ts'

/** JSON that a model wrote, undefined where it is none. */
export const parsedInput = (text: unknown): unknown => {
  if (text === '') return {}
  try {
    return JSON.parse(String(text)) as unknown
  } catch {
    return undefined
  }
}

/** The name and arguments under which a function's call reaches the agent, when not as the model made it. */
export const shownFunction = (found: DeniedCall): { name: string; arguments: string } =>
  found.changed === undefined ? { name: DENIED_TOOL, arguments: deniedArguments(found) } : { name: found.call.tool, arguments: JSON.stringify(found.changed.value) }

/** What a denied call carries in its arguments, so that it can be put back; with the whole of an item that was no function's. */
export const deniedArguments = ({ call, reason }: DeniedCall, item?: unknown): string => {
  const input: DeniedInput = { tool: call.tool, input: call.input ?? null, reason }
  return JSON.stringify(item === undefined ? input : { ...input, item })
}

/** The denied call that a function of this name and arguments stands for; null for any other. */
export const deniedFrom = (name: unknown, text: unknown): (DeniedInput & { readonly item?: unknown }) | null => {
  const input = name === DENIED_TOOL ? parsedInput(text) : null
  if (!isFields(input) || typeof input['tool'] !== 'string' || typeof input['reason'] !== 'string') return null
  return { tool: input['tool'], input: input['input'], reason: input['reason'], item: input['item'] }
}
