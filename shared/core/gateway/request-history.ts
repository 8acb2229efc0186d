import { restoreDenied, toolResultsIn } from '../../domain/denied-tool-use.ts'
import type { ToolUseGuard } from './tool-use-guard.ts'

/** A request's body, with its JSON read once; null where it is none: then the provider says what is wrong with it. */
export interface ReadRequest {
  readonly body: Buffer
  readonly json: unknown
}

export const readRequest = (body: Buffer): ReadRequest => {
  try {
    return { body, json: JSON.parse(body.toString('utf8')) as unknown }
  } catch {
    return { body, json: null }
  }
}

/** Lets the guard see what came of earlier calls, and puts denied ones back in the history that goes to the model. */
export const putBack = (read: ReadRequest, guard: ToolUseGuard): ReadRequest => {
  const { json } = read
  if (typeof json !== 'object' || json === null || !('messages' in json) || !Array.isArray(json.messages)) return read
  const messages = json.messages as unknown[]
  guard.observe(toolResultsIn(messages))
  const restored = restoreDenied(messages)
  if (restored === null) return read
  const request = { ...json, messages: restored }
  return { body: Buffer.from(JSON.stringify(request)), json: request }
}
