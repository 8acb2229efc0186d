import { ProtocolError as UpstreamProtocolError } from '@modelcontextprotocol/client'
import { ProtocolError, ProtocolErrorCode } from '@modelcontextprotocol/server'
import type { CallToolRequestParams, CallToolResult, Progress, ServerContext } from '@modelcontextprotocol/server'
import { HoldfastError } from '../../contract/errors.ts'
import type { SessionId } from '../../contract/ids.ts'
import type { ToolCallGate } from '../ports.ts'
import type { Redactor } from './redactor.ts'
import type { CatalogEntry, ToolCatalog } from './tool-catalog.ts'

export interface ToolCallPipelineDeps {
  readonly sessionId: SessionId
  readonly agent: string
  readonly gate: ToolCallGate
  readonly redactor: Redactor
  /** While the gate thinks, the agent hears of it this often. */
  readonly progressEveryMs: number
  /** The tools as they are now. */
  catalog(): ToolCatalog
  /** The tools once servers have had their time to start. */
  startedCatalog(): Promise<ToolCatalog>
}

export type ToolCallPipeline = (
  params: CallToolRequestParams,
  request: Pick<ServerContext['mcpReq'], 'signal' | 'notify'>,
) => Promise<CallToolResult>

/**
 * Takes one call of an agent through catalog, gate, upstream server and redaction, in that order.
 * A denied call and a server that is down are results with `isError`; what the server itself answers with a protocol
 * error stays one. Rejects when the agent has cancelled, and when the outcome could not be recorded.
 */
export const createToolCallPipeline = (deps: ToolCallPipelineDeps): ToolCallPipeline => {
  const { gate, redactor } = deps

  return async (params, { signal, notify }) => {
    const entry = deps.catalog().get(params.name) ?? (await deps.startedCatalog()).get(params.name)
    if (entry === undefined) throw new ProtocolError(ProtocolErrorCode.InvalidParams, `Unknown tool: ${params.name}`)

    const { progressToken, ...meta } = params._meta ?? {}
    let progressSent = Promise.resolve()
    const sendProgress = (progress: Progress): void => {
      if (progressToken === undefined) return
      const params = { ...redactor.json(progress), progressToken }
      progressSent = notify({ method: 'notifications/progress', params }).catch(() => {})
    }

    const toolUseId = meta['claudecode/toolUseId']
    const question = gate.request({
      sessionId: deps.sessionId,
      tool: entry.policyName,
      input: params.arguments ?? {},
      toolUseId: typeof toolUseId === 'string' ? toolUseId : null,
      outside: entry.outside(params.arguments ?? {}),
      signal,
    })
    const verdict = await withTicks(question, deps.progressEveryMs, (tick) => {
      // Fractions, so that the server's own progress, which counts up from 0 or 1, still only grows.
      sendProgress({ progress: tick / 1_000_000, message: 'Waiting for a decision in Holdfast' })
    })
    if (!verdict.allowed) return errorResult(redactor.text(verdict.reason))

    const finish = (ok: boolean, summary: string, result?: unknown): void => gate.finish(verdict.toolCallId, { ok, summary, result })
    if (signal.aborted) {
      finish(false, 'cancelled by the agent before it ran')
      throw signal.reason
    }
    if (deps.catalog().get(params.name)?.definitionHash !== entry.definitionHash) {
      const reason = `The definition of ${params.name} has changed while the call waited, so it did not run.`
      finish(false, reason)
      return errorResult(reason)
    }

    let result: CallToolResult
    try {
      result = await entry.upstream.call(
        {
          name: entry.name,
          arguments: params.arguments ?? {},
          _meta: { ...meta, 'holdfast/agent': deps.agent, 'holdfast/session': deps.sessionId },
        },
        { signal, onProgress: progressToken === undefined ? null : sendProgress },
      )
    } catch (error) {
      if (signal.aborted) {
        finish(false, 'cancelled by the agent while it ran')
        throw error
      }
      const problem = redactor.text(error instanceof Error ? error.message : String(error))
      finish(false, problem.slice(0, 500))
      if (error instanceof UpstreamProtocolError) {
        throw new ProtocolError(error.code, problem, redactor.json(error.data))
      }
      return errorResult(error instanceof HoldfastError ? problem : failedMessage(entry, problem))
    }
    const shown = redactor.json(result)
    if (result.isError === true) finish(false, 'the server answered with an error', shown)
    else finish(true, 'the server answered', shown)
    await progressSent
    return shown
  }
}

const failedMessage = (entry: CatalogEntry, problem: string): string =>
  `The call to the server ${entry.upstream.name} failed (${problem}). ` +
  'It may or may not have taken effect; it is not repeated.'

const errorResult = (text: string): CallToolResult => ({ content: [{ type: 'text', text }], isError: true })

/** Awaits `work`; meanwhile calls `tick` with 1, 2, 3 …, once per `everyMs`. */
const withTicks = async <Value>(
  work: Promise<Value>,
  everyMs: number,
  tick: (count: number) => void,
): Promise<Value> => {
  let count = 0
  const timer = setInterval(() => tick((count += 1)), everyMs)
  try {
    return await work
  } finally {
    clearInterval(timer)
  }
}
