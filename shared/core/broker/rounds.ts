import { randomBytes } from 'node:crypto'
import { ProtocolError, ProtocolErrorCode, inputRequired } from '@modelcontextprotocol/server'
import type { InputRequiredResult, Notification, Result, ServerContext } from '@modelcontextprotocol/server'
import type { ServerQuestion } from './upstream-client.ts'
import type { Origin } from './upstream-server.ts'

/** How long a request waits for the agent to come back with the answer to a question of its server. */
const ANSWER_TIMEOUT_MS = 15 * 60 * 1_000
const MAX_WAITING = 100

/** A request of an agent while it is worked on. */
export interface AgentRequest {
  readonly signal: AbortSignal
  readonly origin: Origin
  notify(notification: Notification): Promise<void>
}

export interface Rounds {
  /**
   * Answers one request by `work`. Where the agent speaks the older protocol, a server's questions go to it as requests.
   * In the newer one there are none: the question is the result, the work waits, and the agent's next request, which
   * carries the answer, gets what the work comes to.
   */
  serve<Value extends Result>(context: ServerContext, work: (request: AgentRequest) => Promise<Value>): Promise<Value | InputRequiredResult>
  /** Withdraws what waits. */
  close(): void
}

interface Waiting {
  /** The round that is under way: its request's way back. */
  context: ServerContext
  question: PromiseWithResolvers<ServerQuestion>
  answer: PromiseWithResolvers<Result> | null
  readonly gone: AbortController
  readonly work: Promise<Result>
  timer: NodeJS.Timeout | undefined
}

const QUESTION = 'question'

const askInBand = (request: ServerQuestion): InputRequiredResult['inputRequests'] => ({ [QUESTION]: request }) as InputRequiredResult['inputRequests']

export const createRounds = (): Rounds => {
  const waiting = new Map<string, Waiting>()

  const turn = async (waits: Waiting): Promise<Result> => {
    const { signal } = waits.context.mcpReq
    const leave = (): void => waits.gone.abort(signal.reason)
    signal.addEventListener('abort', leave, { once: true })
    if (signal.aborted) leave()
    try {
      const next = await Promise.race([waits.work.then((result) => ({ result })), waits.question.promise.then((question) => ({ question }))])
      if ('result' in next) return next.result
      if (waiting.size >= MAX_WAITING) throw new ProtocolError(ProtocolErrorCode.InternalError, 'Too many requests wait for answers already.')
      waits.question = Promise.withResolvers()
      const requestState = randomBytes(24).toString('base64url')
      waiting.set(requestState, waits)
      waits.timer = setTimeout(() => {
        waiting.delete(requestState)
        waits.gone.abort(new Error('the agent did not answer'))
      }, ANSWER_TIMEOUT_MS).unref()
      return inputRequired({ inputRequests: askInBand(next.question) ?? {}, requestState })
    } finally {
      signal.removeEventListener('abort', leave)
    }
  }

  const begin = (context: ServerContext, work: (request: AgentRequest) => Promise<Result>): Promise<Result> => {
    const gone = new AbortController()
    const origin: Origin = {
      ask: async (question, signal) => {
        // One question at a time: the agent gets the next when it has answered this.
        while (waits.answer !== null) await waits.answer.promise.catch(() => undefined)
        const answer = (waits.answer = Promise.withResolvers<Result>())
        const withdraw = (): void => answer.reject(new Error('withdrawn'))
        for (const end of [signal, gone.signal]) end.addEventListener('abort', withdraw, { once: true })
        waits.question.resolve(question)
        try {
          return await answer.promise
        } finally {
          waits.answer = null
        }
      },
      notify: (notification) => void waits.context.mcpReq.notify(notification).catch(() => {}),
    }
    const started = Promise.withResolvers<Result>()
    const waits: Waiting = { context, question: Promise.withResolvers(), answer: null, gone, work: started.promise, timer: undefined }
    started.promise.catch(() => {})
    started.resolve(work({ signal: gone.signal, origin, notify: (notification) => waits.context.mcpReq.notify(notification) }))
    return turn(waits)
  }

  return {
    serve: async <Value extends Result>(context: ServerContext, work: (request: AgentRequest) => Promise<Value>) => {
      const { mcpReq } = context
      if (mcpReq.envelope === undefined) {
        const origin: Origin = {
          ask: (question, signal) => mcpReq.send(question as never, { signal, timeout: ANSWER_TIMEOUT_MS }) as Promise<Result>,
          notify: (notification) => void mcpReq.notify(notification).catch(() => {}),
        }
        return work({ signal: mcpReq.signal, origin, notify: mcpReq.notify })
      }
      const state = mcpReq.requestState<string>()
      if (state === undefined) return (await begin(context, work)) as Value
      const waits = waiting.get(state)
      waiting.delete(state)
      if (waits === undefined) throw new ProtocolError(ProtocolErrorCode.InvalidParams, 'This request does not wait for an answer, or no longer.')
      clearTimeout(waits.timer)
      waits.context = context
      const given = mcpReq.inputResponses?.[QUESTION]
      if (typeof given === 'object' && given !== null) waits.answer?.resolve(given as Result)
      else waits.answer?.reject(new Error('the agent gave no answer'))
      return (await turn(waits)) as Value
    },
    close: () => {
      for (const waits of waiting.values()) {
        clearTimeout(waits.timer)
        waits.gone.abort(new Error('the session has ended'))
      }
      waiting.clear()
    },
  }
}
