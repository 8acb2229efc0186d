import { bodyOf } from '../contract/schemas/ledger-bodies.ts'
import type { AlarmRule, LedgerEntry } from '../contract/schemas/ledger.ts'
import { formatUsd } from './format.ts'
import { canonicalJson } from './ledger-chain.ts'
import { visibleText } from './visible-text.ts'

/** What the rules compare with. An ordinary day of work stays below all of it: see the recorded day in the tests. */
const REPEATS = 15
const BURST_CALLS = 150
const BURST_MS = 60_000
const DENIALS = 10
const DENIALS_MS = 15 * 60_000
const SECRET_PATHS = 6
/** A first-ever host, tool or hour says something only of an agent that is known: this many earlier sessions. */
const KNOWN_AFTER_SESSIONS = 5
const COST_TIMES = 4
const COST_FLOOR_MICRO_USD = 1_000_000

const SECRET_PATH = /(^|[\s/"'=])(\.env(\.[\w.-]+)?|\.npmrc|\.netrc|\.pgpass|\.git-credentials|id_(rsa|ed25519|ecdsa)|\.aws\/\S*|\.ssh\/\S*|\.gnupg\/\S*|\.kube\/config|\.docker\/config\.json|[\w.-]*(credentials?|secrets?)(\.\w+)?|[\w.-]+\.(pem|key|p12|pfx|kdbx))(?=$|[\s"';|&)])/gi
/** What a path stands in, and no file's content. */
const PATH_FIELDS = ['command', 'file_path', 'notebook_path', 'path', 'pattern', 'uri']

export interface Alarm {
  readonly rule: AlarmRule
  readonly message: string
}

/** What is known of an agent from its earlier sessions. */
interface AgentHistory {
  sessions: number
  readonly tools: Set<string>
  readonly hosts: Set<string>
  readonly hours: Set<number>
  highestMicroUsd: number
}

interface SessionWatch {
  readonly agent: string
  readonly startedAt: number
  readonly tools: Set<string>
  readonly hosts: Set<string>
  lastCall: string
  repeats: number
  calls: number[]
  denials: number[]
  readonly secretPaths: Set<string>
  microUsd: number
  readonly raised: Set<string>
}

export interface AlarmWatch {
  /** Takes the next entry and says what is alarming about it; each rule once a session, each first host or tool once. */
  saw(entry: LedgerEntry): Alarm[]
  /** Takes an entry of the past: it teaches what is usual, and raises nothing. */
  learn(entry: LedgerEntry): void
}

const newHistory = (): AgentHistory => ({ sessions: 0, tools: new Set(), hosts: new Set(), hours: new Set(), highestMicroUsd: 0 })

const pathsIn = (input: unknown): string[] => {
  if (typeof input !== 'object' || input === null) return []
  return PATH_FIELDS.flatMap((field) => {
    const value = (input as Readonly<Record<string, unknown>>)[field]
    return typeof value === 'string' ? [...value.slice(0, 10_000).matchAll(SECRET_PATH)].map(([, , path = '']) => path) : []
  })
}

/** `hourOf` gives the hour of the day, 0 to 23, where the person is. */
export const createAlarmWatch = (hourOf: (at: number) => number): AlarmWatch => {
  const agents = new Map<string, AgentHistory>()
  const sessions = new Map<string, SessionWatch>()

  const historyOf = (agent: string): AgentHistory => {
    const known = agents.get(agent) ?? newHistory()
    agents.set(agent, known)
    return known
  }

  const saw = (entry: LedgerEntry): Alarm[] => {
    const { sessionId, at } = entry
    if (sessionId === null) return []
    const started = bodyOf(entry, 'session/started')
    if (started) {
      const session: SessionWatch = {
        agent: started.agent,
        startedAt: at,
        tools: new Set(),
        hosts: new Set(),
        lastCall: '',
        repeats: 0,
        calls: [],
        denials: [],
        secretPaths: new Set(),
        microUsd: 0,
        raised: new Set(),
      }
      sessions.set(sessionId, session)
      const { sessions: earlier, hours } = historyOf(started.agent)
      const hour = hourOf(at)
      if (earlier < KNOWN_AFTER_SESSIONS * 2 || [-1, 0, 1].some((near) => hours.has((hour + near + 24) % 24))) return []
      return [{ rule: 'unusual-hour', message: `${started.agent} has never worked at this hour in ${earlier} earlier sessions.` }]
    }
    const session = sessions.get(sessionId)
    if (session === undefined) return []
    const history = historyOf(session.agent)
    const isKnown = history.sessions >= KNOWN_AFTER_SESSIONS
    const alarms: Alarm[] = []
    const raise = (rule: AlarmRule, message: string, key: string = rule): void => {
      if (session.raised.has(key)) return
      session.raised.add(key)
      alarms.push({ rule, message })
    }
    const within = (times: number[], span: number): number[] => [...times, at].filter((time) => time > at - span)

    const intent = bodyOf(entry, 'tool-call/intent')
    const denied = bodyOf(entry, 'tool-call/decision')
    const call = intent ?? (denied === null ? null : { tool: denied.tool, input: denied.input })
    if (call !== null) {
      const what = canonicalJson([call.tool, call.input ?? null])
      session.repeats = what === session.lastCall ? session.repeats + 1 : 1
      session.lastCall = what
      if (session.repeats >= REPEATS) raise('repeat', `The same call of ${visibleText(call.tool)} came ${REPEATS} times in a row.`)
      session.calls = within(session.calls, BURST_MS)
      if (session.calls.length >= BURST_CALLS) raise('burst', `${BURST_CALLS} tool calls came within a minute.`)
      for (const path of pathsIn(call.input)) session.secretPaths.add(path.toLowerCase())
      if (session.secretPaths.size >= SECRET_PATHS) raise('secret-paths', `Calls have named ${SECRET_PATHS} files that hold secrets as a rule, such as ${visibleText([...session.secretPaths].slice(0, 3).join(', '))}.`)
    }
    if (intent) {
      if (isKnown && !history.tools.has(intent.tool)) raise('first-tool', `${session.agent} used ${visibleText(intent.tool)}, which it never did in ${history.sessions} earlier sessions.`, `tool ${intent.tool}`)
      session.tools.add(intent.tool)
    }
    if (denied) {
      session.denials = within(session.denials, DENIALS_MS)
      if (session.denials.length >= DENIALS) raise('denials', `${DENIALS} calls were denied within a quarter of an hour.`)
    }
    const reached = bodyOf(entry, 'network/reached') ?? bodyOf(entry, 'network/refused')
    if (reached) {
      if (isKnown && !history.hosts.has(reached.host)) raise('first-host', `${session.agent} asked for ${visibleText(reached.host)}, which it never did in ${history.sessions} earlier sessions.`, `host ${reached.host}`)
      session.hosts.add(reached.host)
    }
    const model = bodyOf(entry, 'model-request/outcome')
    if (model) {
      session.microUsd += model.costMicroUsd ?? 0
      const limit = Math.max(COST_FLOOR_MICRO_USD, COST_TIMES * history.highestMicroUsd)
      if (isKnown && session.microUsd > limit) {
        raise('cost', `The session has cost ${formatUsd(session.microUsd)}; the dearest of ${history.sessions} earlier ones cost ${formatUsd(history.highestMicroUsd)}.`)
      }
    }
    if (entry.kind === 'session/ended' || entry.kind === 'session/killed') {
      sessions.delete(sessionId)
      history.sessions += 1
      history.hours.add(hourOf(session.startedAt)).add(hourOf(at))
      history.highestMicroUsd = Math.max(history.highestMicroUsd, session.microUsd)
      for (const tool of session.tools) history.tools.add(tool)
      for (const host of session.hosts) history.hosts.add(host)
    }
    return alarms
  }

  return { saw, learn: (entry) => void saw(entry) }
}
