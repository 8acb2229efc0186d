import type { AgentWords } from '../../../contract/schemas/tool-call.ts'
import type { MessageUsage } from '../../../domain/message-usage.ts'
import type { PriceTable } from '../../../domain/price.ts'
import type { RequestBound, Unbounded } from '../../../domain/request-bound.ts'
import type { ChangedInput, DeniedInput, ToolResult } from '../../../domain/denied-tool-use.ts'
import type { Fields } from '../../../domain/json-fields.ts'
import type { Framing } from '../event-stream.ts'
import type { AskedCall, DeniedCall, StreamRules } from '../tool-use-filter.ts'

/** What the gateway must know of a request that is billed. */
export interface AskedOfModel {
  readonly model: string
  readonly stream: boolean
  readonly maxOutputTokens: number | null
  readonly bound: RequestBound | Unbounded
}

/** One of the providers' APIs, as far as the gateway looks into it. */
export interface Dialect {
  /** Whose API it is, as OpenTelemetry's conventions for gen_ai name it. */
  readonly provider: 'anthropic' | 'openai' | 'aws.bedrock' | 'gcp.vertex_ai'
  readonly framing: Framing
  readonly stream: StreamRules
  /** An event that means nothing, and keeps a silent stream alive. */
  readonly ping: Buffer
  /** Throws where the JSON is no request of this API. */
  readRequest(json: unknown, bodyBytes: number, table: PriceTable): AskedOfModel
  /** Whether the key goes out as a bearer. */
  readonly bearer: boolean
  /** The request with a limit to its output, for one that sets none where a cap holds; null where the API wants one anyway. */
  readonly limitOutput: ((json: Fields, tokens: number) => Fields) | null
  /** Where a request says who asks: the field with this id, null where the agent filled it itself. */
  agentField(json: Fields, agentId: string): Fields | null
  /** Why a request would make the provider reach an address that it names; null when it would not. */
  outwardPart(json: unknown): string | null
  /** Results of tool calls that a request shows the model, oldest first. */
  resultsIn(json: Fields): readonly ToolResult[]
  /**
   * The request with every denied call as the model made it, and the reason as its result; null when there is none.
   * `known` gives what was denied or changed by its id, for agents that change what they do not know.
   */
  putBack(json: Fields, known: (toolUseId: string) => DeniedInput | ChangedInput | null): Fields | null
  createUsageReader(requestModel: string, onUsage: (usage: MessageUsage) => void): { read(json: Fields): void }
  /** The same for an answer that is not streamed. */
  wholeCalls(answer: Fields): readonly AskedCall[]
  wholeWords(answer: Fields): AgentWords
  denyWhole(answer: Fields, denied: ReadonlyMap<string, DeniedCall>): Fields
}
