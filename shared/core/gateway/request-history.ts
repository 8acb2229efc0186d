import { restoreDenied, toolResultsIn } from '../../domain/denied-tool-use.ts'
import type { ToolUseGuard } from './tool-use-guard.ts'

/**
 * Lets the guard see what came of earlier calls, and puts denied ones back in the history that goes to the model.
 * The body as it was when there is none, or when it cannot be read: then the provider says what is wrong with it.
 */
export const putBack = (body: Buffer, guard: ToolUseGuard): Buffer => {
  let request: unknown
  try {
    request = JSON.parse(body.toString('utf8'))
  } catch {
    return body
  }
  if (typeof request !== 'object' || request === null || !('messages' in request) || !Array.isArray(request.messages)) return body
  const messages = request.messages as unknown[]
  guard.observe(toolResultsIn(messages))
  const restored = restoreDenied(messages)
  return restored === null ? body : Buffer.from(JSON.stringify({ ...request, messages: restored }))
}
