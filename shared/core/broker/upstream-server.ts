import { setTimeout as delay } from 'node:timers/promises'
import type {
  CallToolRequestParams,
  CallToolResult,
  ClientCapabilities,
  Notification,
  Progress,
  ProtocolEra,
  RequestMethod,
  Result,
  ResultTypeMap,
  Tool,
} from '@modelcontextprotocol/client'
import { HoldfastError } from '../../contract/errors.ts'
import type { ServerBoundary } from '../../domain/boundary/server-boundary.ts'
import type { Clock, KillProof } from '../ports.ts'
import type { Redactor } from './redactor.ts'
import { createServerListing, NO_OFFER } from './server-listing.ts'
import type { UpstreamOffer } from './server-listing.ts'
import { createUpstreamClient, isRefusalOfTheOlder, requestInRounds, speakingFor } from './upstream-client.ts'
import type { Answers, Questions, ServerQuestion, UpstreamClient, UpstreamEvents } from './upstream-client.ts'
import type { UpstreamProcess, Urgency } from './upstream-process.ts'

export interface UpstreamStatus {
  readonly name: string
  readonly state: 'starting' | 'ready' | 'restarting' | 'unavailable' | 'closed'
  /** Why it is not ready, for a person; null when there is nothing to say. */
  readonly message: string | null
  readonly tools: number
}

/** The agent's request that a server works on: where its questions and messages go meanwhile. */
export interface Origin {
  ask(question: ServerQuestion, signal: AbortSignal): Promise<Result>
  /** All that a server of the newer protocol asks with one result, under its own keys. The answers are what the agent gave. */
  askAll(questions: Questions, signal: AbortSignal): Promise<Answers>
  notify(notification: Notification): void
}

export interface UpstreamCallOptions {
  /** Aborting tells the server and rejects the call. */
  readonly signal: AbortSignal
  /** What the agent can do, where it has said so with this very request. */
  readonly capabilities: ClientCapabilities | null
  readonly origin: Origin
  /** Called for each progress notification of this call, always before the call resolves; null to ask for none. */
  readonly onProgress: ((progress: Progress) => void) | null
}

/** Something that has tools: a server of the user's, or the broker itself. */
export interface Upstream {
  readonly name: string
  /** What it may be used for; null when nothing bounds it. */
  readonly boundary: ServerBoundary | null
  status(): UpstreamStatus
  /** Its tools as last listed; those of a server that is restarting stay. */
  tools(): readonly Tool[]
  /** Resolves, never rejects, once its first start has gone well or badly. */
  readonly firstStart: Promise<void>
  /** Rejects with HoldfastError `illegal-state` when it is not ready, and with what the SDK throws otherwise. */
  call(params: CallToolRequestParams, options: UpstreamCallOptions): Promise<CallToolResult>
  /** Ends it for good, processes included. */
  close(urgency: Urgency): Promise<KillProof>
}

/** A server of the user's. */
export interface UpstreamServer extends Upstream {
  /** The end of what its newest life wrote to standard error, without known secrets. */
  log(): string
  offer(): UpstreamOffer
  /** Any other request. Rejects as `call` does. */
  request<Method extends RequestMethod>(
    request: { method: Method; params: Record<string, unknown> },
    options: Omit<UpstreamCallOptions, 'onProgress'>,
  ): Promise<ResultTypeMap[Method]>
  /** Tells the server something of the agent's; nothing happens where it does not run. */
  notify(notification: Notification): void
  /** A person may have accepted some of its tools. */
  reviewTools(): void
  /** Once its calls have ended, or soon, ends it gently and starts it anew, with its secrets as they are now; also one that could not be started. */
  restart(): void
}

/** What an agent says of itself when it connects. */
export interface AgentKind {
  readonly capabilities: ClientCapabilities
  readonly era: ProtocolEra
}

export interface UpstreamServerDeps {
  readonly name: string
  readonly boundary: ServerBoundary | null
  readonly version: string
  readonly clock: Clock
  readonly redactor: Redactor
  /** First wait before a restart, doubled with each failure in a row. */
  readonly restartDelayMs: number
  /** Secrets are resolved anew for every start, so that a rotated one is taken up; a rejection makes the server unavailable. */
  start(): Promise<UpstreamProcess>
  /** Those of its tools that may be used: see ToolPins. Asked anew whenever they may have become others. */
  admit(tools: readonly Tool[]): readonly Tool[]
  /** Resolves with what the agent can do, once it has said so: a server is told nothing else. */
  readonly agent: Promise<AgentKind>
  /** Tools or readiness have changed. */
  onChanged(): void
  /** Resources or prompts have. */
  onOfferChanged(kind: 'resources' | 'prompts'): void
  /** What a server says or asks outside of every request. */
  readonly unasked: Origin
}

/** How long a server may take to start: `npx` may have to download it first. */
const CONNECT_TIMEOUT_MS = 120_000
/** Calls have no deadline of ours: the agent's own ends them, by cancelling. */
const CALL_TIMEOUT_MS = 24 * 60 * 60 * 1_000
/** How long after its output closed a process may take to end by itself, so that its exit code can be told. */
const EXIT_GRACE_MS = 500
/** How long calls may take to end before a server is started anew. */
const FINISH_MS = 10_000
const MAX_RESTART_DELAY_MS = 60_000
/** Questions of one server that wait for an answer: one that asks more has a fault. */
const MAX_QUESTIONS = 100
/** After this long without a fault, a failure is a first one again. */
const STEADY_MS = 60_000

/** Starts a stdio MCP server at once and keeps it running, with back-off, until closed. */
export const createUpstreamServer = (deps: UpstreamServerDeps): UpstreamServer => {
  const closing = new AbortController()
  const firstStart = Promise.withResolvers<void>()
  let state: UpstreamStatus['state'] = 'starting'
  let message: string | null = null
  const listing = createServerListing(deps.admit)
  let calls = 0
  let current: UpstreamClient | null = null
  /** Requests under way, the newest last: stdio does not say which of them a server's question belongs to. */
  const origins = new Set<Origin>()
  const newestOrigin = (): Origin => [...origins].at(-1) ?? deps.unasked
  /** The newest life, also when it is over: to stop it again does no harm. */
  let running: UpstreamProcess | null = null
  let starting: Promise<unknown> = Promise.resolve()
  let questions = 0
  /** A server that refused the agent's older protocol is spoken to in the newer one. */
  let speaksNewer = false
  /** Aborted to have the next start come at once. */
  let wake = new AbortController()

  const become = (next: UpstreamStatus['state'], why: string | null): void => {
    if (state === 'closed') return
    state = next
    message = why === null ? null : deps.redactor.text(why)
    deps.onChanged()
  }

  const ask: UpstreamEvents['onQuestion'] = async (question, signal) => {
    if (questions >= MAX_QUESTIONS) throw new Error('Too many questions wait for an answer already.')
    questions += 1
    try {
      return await newestOrigin().ask(deps.redactor.json(question), signal)
    } finally {
      questions -= 1
    }
  }

  /** One life of the server: resolves with why it ended. */
  const runOnce = async (process: UpstreamProcess): Promise<string> => {
    const agent = await Promise.race([deps.agent, process.ended])
    if (typeof agent === 'string') return agent
    if (closing.signal.aborted) return 'was closed'
    const life = createUpstreamClient(deps.version, { agent: agent.capabilities, era: speaksNewer ? 'modern' : agent.era, transport: process.transport }, {
      onTools: (tools) => become('ready', listing.takeTools(tools)),
      onResources: (resources, templates) => {
        listing.takeResources(resources, templates)
        deps.onOfferChanged('resources')
      },
      onPrompts: (prompts) => {
        listing.takePrompts(prompts)
        deps.onOfferChanged('prompts')
      },
      onNotification: (notification) => newestOrigin().notify(deps.redactor.json(notification)),
      onQuestion: ask,
    })
    const { client } = life
    const closed = new Promise<void>((resolve) => (client.onclose = resolve))
    current = life
    let problem = 'closed its output or sent too long a message'
    try {
      await life.connect({ timeout: CONNECT_TIMEOUT_MS })
      listing.begin(client.getServerCapabilities() ?? {})
      await life.listAll()
      firstStart.resolve()
      await closed
    } catch (error) {
      speaksNewer ||= agent.era === 'legacy' && isRefusalOfTheOlder(error)
      problem = `did not start properly (${error instanceof Error ? error.message : String(error)})`
    }
    become('restarting', `${deps.name} ${problem}`)
    const end = await Promise.race([process.ended, delay(EXIT_GRACE_MS, null, { ref: false })])
    await client.close()
    await process.stop('gently')
    current = null
    return end ?? problem
  }

  const keepRunning = async (): Promise<void> => {
    for (let failures = 1; !closing.signal.aborted; failures += 1) {
      const begun = deps.start()
      starting = begun.catch(() => undefined)
      const process = await begun
      const startedAt = deps.clock.now()
      running = process
      if (closing.signal.aborted) return void (await process.stop('at-once'))
      const before = speaksNewer
      const end = await runOnce(process)
      if (closing.signal.aborted) return
      if (speaksNewer !== before) continue
      if (deps.clock.now() - startedAt > STEADY_MS) failures = 1
      become('restarting', `${deps.name} ${end}`)
      firstStart.resolve()
      const delayMs = Math.min(deps.restartDelayMs * 2 ** (failures - 1), MAX_RESTART_DELAY_MS)
      await delay(delayMs, undefined, { ref: false, signal: AbortSignal.any([closing.signal, wake.signal]) }).catch(() => {})
      if (wake.signal.aborted) failures = 0
      wake = new AbortController()
    }
  }

  const run = (): void => {
    keepRunning()
      .catch((error: unknown) => become('unavailable', error instanceof Error ? error.message : String(error)))
      .finally(firstStart.resolve)
  }
  run()

  const working = async <Value>(origin: Origin, work: (life: UpstreamClient) => Promise<Value>): Promise<Value> => {
    if (state !== 'ready' || current === null) {
      const why = message === null ? '' : ` (${message})`
      throw new HoldfastError('illegal-state', `The server ${deps.name} is not running now${why}. Other servers are not affected.`)
    }
    origins.add(origin)
    try {
      return await work(current)
    } finally {
      origins.delete(origin)
      if (origins.size === 0) for (const tell of idlers.splice(0)) tell()
    }
  }
  const idlers: (() => void)[] = []
  const idle = (): Promise<void> => new Promise((resolve) => (origins.size === 0 ? resolve() : void idlers.push(resolve)))

  const send = <Method extends RequestMethod>(life: UpstreamClient, request: { method: Method; params: Record<string, unknown> }, options: Omit<UpstreamCallOptions, 'onProgress'>) => {
    const { signal, capabilities, origin } = options
    const ask = (questions: Questions): Promise<Answers> => origin.askAll(deps.redactor.json(questions), signal)
    return requestInRounds(life, speakingFor(life.client, request, capabilities), { signal, timeout: CALL_TIMEOUT_MS }, ask)
  }

  return {
    name: deps.name,
    boundary: deps.boundary,
    status: () => ({ name: deps.name, state, message, tools: listing.tools().length }),
    log: () => deps.redactor.text(running?.said() ?? ''),
    tools: listing.tools,
    firstStart: firstStart.promise,
    reviewTools: () => {
      if (state === 'ready') become('ready', listing.reviewTools())
    },
    call: (params, { onProgress, ...options }) =>
      working(options.origin, async (life) => {
        const { progressListeners } = life
        if (onProgress === null) return send(life, { method: 'tools/call', params }, options)
        const progressToken = (calls += 1)
        progressListeners.set(progressToken, onProgress)
        try {
          return await send(life, { method: 'tools/call', params: { ...params, _meta: { ...params._meta, progressToken } } }, options)
        } finally {
          progressListeners.delete(progressToken)
        }
      }),
    restart: () => {
      if (closing.signal.aborted) return
      if (state === 'unavailable') return run()
      wake.abort()
      const old = running
      void Promise.race([idle(), delay(FINISH_MS, undefined, { ref: false })]).then(() => old?.stop('gently'))
    },
    offer: () => (state === 'ready' ? listing.offer() : NO_OFFER),
    request: (request, options) => working(options.origin, (life) => send(life, request, options)),
    notify: (notification) => void current?.client.notification(notification).catch(() => {}),
    close: async (urgency) => {
      become('closed', null)
      closing.abort()
      await starting
      return running?.stop(urgency) ?? { killed: 0, survivors: [], durationMs: 0 }
    },
  }
}
