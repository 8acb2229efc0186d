import type { Dialect } from './dialects/dialect.ts'
import { isFields } from '../../domain/json-fields.ts'
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
export const putBack = (read: ReadRequest, dialect: Dialect, guard: ToolUseGuard): ReadRequest => {
  const { json } = read
  if (!isFields(json)) return read
  guard.observe(dialect.resultsIn(json))
  const request = dialect.putBack(json, guard.deniedAs)
  return request === null ? read : { body: Buffer.from(JSON.stringify(request)), json: request }
}

/** The request with the agent's id where its API has a place for it and the agent left it empty; all its other bytes as they were. */
export const nameAgent = (read: ReadRequest, dialect: Dialect, agentId: string): ReadRequest => {
  const { body, json } = read
  const field = isFields(json) ? dialect.agentField(json, agentId) : null
  if (field === null || !isFields(json) || Object.keys(json).length === 0) return read
  const begin = body.indexOf('{') + 1
  return { json: { ...json, ...field }, body: Buffer.concat([body.subarray(0, begin), Buffer.from(`${JSON.stringify(field).slice(1, -1)},`), body.subarray(begin)]) }
}
