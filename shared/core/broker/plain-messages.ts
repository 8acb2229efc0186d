import type { CallToolRequestParams, CallToolResult, JSONRPCMessage, RequestId } from '@modelcontextprotocol/server'

/**
 * What most messages look like, told by a look at a parsed line. The SDK's schemas let all of it pass, unchanged, which
 * test/unit/plain-calls.test.ts holds; what looks any other way is for them to judge.
 */
type Fields = Readonly<Record<string, unknown>>

/** A call of a tool as agents of the older protocol make it. */
export interface PlainCall {
  readonly jsonrpc: '2.0'
  readonly id: RequestId
  readonly method: 'tools/call'
  readonly params: CallToolRequestParams
}

const REQUEST = new Set(['jsonrpc', 'id', 'method', 'params'])
const RESPONSE = new Set(['jsonrpc', 'id', 'result'])
const CALL = new Set(['name', 'arguments', '_meta'])
const RESULT = new Set(['content', 'isError', 'structuredContent'])
const TEXT = new Set(['type', 'text'])
/** Keys that the SDK reads. */
const RESERVED = 'io.modelcontextprotocol/'

const isObject = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value)
/** The schemas drop a key of this name where they copy an object. */
const isCopied = (value: unknown): value is Fields => isObject(value) && !Object.hasOwn(value, '__proto__')

const hasOnly = (value: Fields, known: ReadonlySet<string>): boolean => {
  for (const key of Object.keys(value)) if (!known.has(key)) return false
  return true
}

const isId = (value: unknown): value is RequestId => typeof value === 'string' || Number.isSafeInteger(value)

const isMeta = (value: unknown): boolean =>
  value === undefined ||
  (isCopied(value) && (value['progressToken'] === undefined || isId(value['progressToken'])) && !Object.keys(value).some((key) => key.startsWith(RESERVED)))

const isPlainRequest = (message: Fields): boolean => {
  const { id, method, params } = message
  if (typeof method !== 'string' || !(isId(id) || !('id' in message)) || !hasOnly(message, REQUEST)) return false
  return !('params' in message) || (isCopied(params) && isMeta(params['_meta']))
}

const isPlainResponse = (message: Fields): boolean => isId(message['id']) && isCopied(message['result']) && !('_meta' in message['result']) && hasOnly(message, RESPONSE)

/** A request, a notification or a result of the usual form. */
export const isPlainMessage = (value: unknown): value is JSONRPCMessage =>
  isObject(value) && value['jsonrpc'] === '2.0' && ('method' in value ? isPlainRequest(value) : isPlainResponse(value))

/** Of a plain message: whether it calls a tool, with nothing in it that is for the protocol. */
export const isPlainCall = (message: JSONRPCMessage): message is PlainCall => {
  const { id, method, params } = message as { id?: unknown; method?: unknown; params?: Fields }
  if (method !== 'tools/call' || id === undefined || params === undefined || !hasOnly(params, CALL)) return false
  return typeof params['name'] === 'string' && (!('arguments' in params) || isCopied(params['arguments'])) && isMeta(params['_meta'])
}

/** A tool's result of texts, and of fields. */
export const isPlainResult = (value: unknown): value is CallToolResult => {
  if (!isObject(value) || !hasOnly(value, RESULT)) return false
  const { content, isError, structuredContent } = value
  if ('isError' in value && typeof isError !== 'boolean') return false
  if ('structuredContent' in value && !isCopied(structuredContent)) return false
  return Array.isArray(content) && content.every((block) => isObject(block) && block['type'] === 'text' && typeof block['text'] === 'string' && hasOnly(block, TEXT))
}
