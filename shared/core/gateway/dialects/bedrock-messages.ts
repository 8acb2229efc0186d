import { createMessageUsageReader } from '../../../domain/message-usage.ts'
import { isFields, textOf } from '../../../domain/json-fields.ts'
import { EVENT_FRAMES, frameOf } from '../event-frames.ts'
import type { Dialect } from './dialect.ts'
import { createMessagesStream } from './messages-stream.ts'
import { messages } from './messages.ts'

const stream = createMessagesStream(frameOf)
const ping = frameOf({ type: 'ping' })

/** A request whose tokens are to be counted stands in another, as base64 (Bedrock, CountTokens). */
const countedRequest = (json: unknown): unknown => {
  const input = isFields(json) && isFields(json['input']) ? json['input'] : {}
  const asked = isFields(input['invokeModel']) ? input['invokeModel'] : {}
  try {
    return JSON.parse(Buffer.from(textOf(asked['body']), 'base64').toString('utf8')) as unknown
  } catch {
    return null
  }
}

/** The Messages API as Bedrock's InvokeModel carries it: what stands in the path is `asked`, the model by the name that it is billed by. */
export const bedrockMessages = (asked: { readonly model: string; readonly stream: boolean }): Dialect => ({
  ...messages,
  provider: 'aws.bedrock',
  framing: EVENT_FRAMES,
  stream,
  ping,
  readRequest: (json, bodyBytes, table) => messages.readRequest(isFields(json) ? { ...json, ...asked } : json, bodyBytes, table),
  outwardPart: (json) => messages.outwardPart(json) ?? messages.outwardPart(countedRequest(json)),
  createUsageReader: (_, onUsage) => createMessageUsageReader({ requestModel: asked.model, isRenamed: true, onUsage }),
})
