import { randomBytes } from 'node:crypto'
import { CLIENT_CAPABILITIES_META_KEY, ProtocolError, ProtocolErrorCode, inputRequired } from '@modelcontextprotocol/server'
import type { ClientCapabilities, InputRequiredResult, Notification, Result, ServerContext } from '@modelcontextprotocol/server'
import type { Answers, Questions, ServerQuestion } from './upstream-client.ts'
import type { Origin } from './upstream-server.ts'

/** How long a request waits for the agent to come back with the answer to a question of its server. */
const ANSWER_TIMEOUT_MS = 15 * 60 * 1_000
const MAX_WAITING = 100

/** A request of an agent while it is worked on. */
export interface AgentRequest {
  /** What the agent can do, where it says so with each request: in the newer protocol. */
  readonly capabilities: ClientCapabilities | null
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
  questions: PromiseWithResolvers<Questions>
  answers: PromiseWithResolvers<Answers> | null
  readonly gone: AbortController
  readonly work: Promise<Result>
  timer: NodeJS.Timeout | undefined
}

const QUESTION = 'question'

const capabilitiesOf = ({ mcpReq }: ServerContext): ClientCapabilities => (mcpReq.envelope as Record<string, ClientCapabilities> | undefined)?.[CLIENT_CAPABILITIES_META_KEY] ?? {}

/** The origin of a request of the older protocol: each question is a request of its own. */
export const originOf = (ask: (question: ServerQuestion, signal: AbortSignal) => Promise<Result>, notify: Origin['notify']): Origin => ({
  ask,
  askAll: async (questions, signal) => Object.fromEntries(await Promise.all(Object.entries(questions).map(async ([key, question]) => [key, await ask(question, signal)]))),
  notify,
})

export const createRounds = (): Rounds => {
  const waiting = new Map<string, Waiting>()

  const turn = async (waits: Waiting): Promise<Result> => {
    const { signal } = waits.context.mcpReq
    const leave = (): void => waits.gone.abort(signal.reason)
    signal.addEventListener('abort', leave, { once: true })
    if (signal.aborted) leave()
    try {
      const next = await Promise.race([waits.work.then((result) => ({ result })), waits.questions.promise.then((questions) => ({ questions }))])
      if ('result' in next) return next.result
      if (waiting.size >= MAX_WAITING) throw new ProtocolError(ProtocolErrorCode.InternalError, 'Too many requests wait for answers already.')
      waits.questions = Promise.withResolvers()
      const requestState = randomBytes(24).toString('base64url')
      waiting.set(requestState, waits)
      waits.timer = setTimeout(() => {
        waiting.delete(requestState)
        waits.gone.abort(new Error('the agent did not answer'))
      }, ANSWER_TIMEOUT_MS).unref()
      return inputRequired({ inputRequests: next.questions as NonNullable<InputRequiredResult['inputRequests']>, requestState })
    } finally {
      signal.removeEventListener('abort', leave)
    }
  }

  const begin = (context: ServerContext, work: (request: AgentRequest) => Promise<Result>): Promise<Result> => {
    const gone = new AbortController()
    const askAll: Origin['askAll'] = async (questions, signal) => {
      // One round at a time: the agent gets the next when it has answered this.
      while (waits.answers !== null) await waits.answers.promise.catch(() => undefined)
      const answers = (waits.answers = Promise.withResolvers<Answers>())
      const withdraw = (): void => answers.reject(new Error('withdrawn'))
      for (const end of [signal, gone.signal]) end.addEventListener('abort', withdraw, { once: true })
      waits.questions.resolve(questions)
      try {
        return await answers.promise
      } finally {
        waits.answers = null
      }
    }
    const origin: Origin = {
      askAll,
      ask: async (question, signal) => {
        const answer = (await askAll({ [QUESTION]: question }, signal))[QUESTION]
        if (typeof answer !== 'object' || answer === null) throw new Error('the agent gave no answer')
        return answer as Result
      },
      notify: (notification) => void waits.context.mcpReq.notify(notification).catch(() => {}),
    }
    const started = Promise.withResolvers<Result>()
    const waits: Waiting = { context, questions: Promise.withResolvers(), answers: null, gone, work: started.promise, timer: undefined }
    started.promise.catch(() => {})
    const capabilities = capabilitiesOf(context)
    started.resolve(work({ capabilities, signal: gone.signal, origin, notify: (notification) => waits.context.mcpReq.notify(notification) }))
    return turn(waits)
  }

  return {
    serve: async <Value extends Result>(context: ServerContext, work: (request: AgentRequest) => Promise<Value>) => {
      const { mcpReq } = context
      if (mcpReq.envelope === undefined) {
        const origin = originOf(
          (question, signal) => mcpReq.send(question as never, { signal, timeout: ANSWER_TIMEOUT_MS }) as Promise<Result>,
          (notification) => void mcpReq.notify(notification).catch(() => {}),
        )
        return work({ capabilities: null, signal: mcpReq.signal, origin, notify: mcpReq.notify })
      }
      const state = mcpReq.requestState<string>()
      if (state === undefined) return (await begin(context, work)) as Value
      const waits = waiting.get(state)
      waiting.delete(state)
      if (waits === undefined) throw new ProtocolError(ProtocolErrorCode.InvalidParams, 'This request does not wait for an answer, or no longer.')
      clearTimeout(waits.timer)
      waits.context = context
      waits.answers?.resolve(mcpReq.inputResponses ?? {})
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
