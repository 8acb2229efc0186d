import type { AgentWords } from '../../contract/schemas/tool-call.ts'
import { addWords, NO_WORDS } from '../../domain/agent-words.ts'
import { type Fields, isFields } from '../../domain/json-fields.ts'
import { dataText, keptBytes, type StreamEvent } from './event-stream.ts'

/** A tool call as the model asked for it, with what it said before. */
export interface ToolUse {
  readonly id: string
  readonly tool: string
  readonly input: unknown
  readonly words: AgentWords
}

export type ToolUseVerdict =
  /** As the model made it, or with what a person put in the place of its arguments. */
  | { readonly released: true; readonly changedInput?: { readonly value: unknown } }
  | { readonly released: false; readonly reason: string }

/** Never rejects: what cannot be judged is not released. At once where nobody has to be asked. */
export type JudgeToolUse = (call: ToolUse) => ToolUseVerdict | Promise<ToolUseVerdict>

/** An event with its JSON read: null when it is none, or when it is plain. */
export interface ReadEvent {
  readonly event: StreamEvent
  readonly json: Fields | null
}

/** A call in an answer; `input` is undefined where what the model wrote is not JSON. */
export type AskedCall = Omit<ToolUse, 'words'>

/** How one of the providers' APIs shows tool calls in a stream. */
export interface StreamRules {
  /** Whether the event is nothing but words of the model's, told from its bytes alone. */
  isPlain(event: StreamEvent): boolean
  /** What the model says in an event, null when it says nothing. */
  wordsOf(json: Fields): AgentWords | null
  /** The key of the held part that begins with this event; undefined when none does. */
  begins(json: Fields): unknown
  /** Whether an event that comes meanwhile is of that part, and whether it is its last. */
  belongs(json: Fields, key: unknown): boolean
  ends(json: Fields, key: unknown): boolean
  /** The calls of a whole part. */
  callsOf(events: readonly Fields[]): readonly AskedCall[]
  /** The part with these calls, by id, under a name that no agent has, or with the arguments that a person changed. */
  deny(events: readonly Fields[], denied: ReadonlyMap<string, DeniedCall>): readonly Buffer[]
  /** A later event that shows calls again, without those that were not released; null when it may pass as it is. */
  mend(json: Fields, isReleased: (id: string) => boolean, denied: ReadonlyMap<string, DeniedCall>): Buffer | null
}

/** A call that the agent gets otherwise than the model made it: not at all, or with arguments that a person changed. */
export interface DeniedCall {
  readonly call: AskedCall
  readonly reason: string
  readonly changed?: { readonly value: unknown }
}

/** Passes a streamed answer on, each tool call held back until it is whole and judged. */
export interface ToolUseFilter {
  /** Whether the agent is kept waiting: bytes came that it has not seen. */
  readonly isHolding: boolean
  /** What may pass now that this event has come. A promise while a call is judged: until then nothing else may be taken. */
  take(event: ReadEvent): Passed | Promise<Passed>
}

export type Passed = readonly Buffer[]

/** What may be held of one part, in bytes. */
const MAX_HELD_BYTES = 64 * 1024 * 1024
/** Of what the model says, half of this to all of it is kept to be read once a call comes. */
const MAX_UNREAD_BYTES = 128 * 1024

const NOTHING: Passed = []
const NOT_JSON = 'Denied by Holdfast: the input of the call is not JSON.'
const NOT_JUDGED = 'Denied by Holdfast: the call could not be judged.'

const parse = (event: StreamEvent): Fields | null => {
  const text = dataText(event)
  // An exception costs more than all the rest, and a stream may be full of them.
  if (text === null || !/^\s*\{/.test(text)) return null
  try {
    const json: unknown = JSON.parse(text)
    return isFields(json) ? json : null
  } catch {
    return null
  }
}

export const readEvent = (rules: StreamRules, event: StreamEvent): ReadEvent => ({ event, json: rules.isPlain(event) ? null : parse(event) })

/** The model's words, kept as they came and read only when a call wants them. */
const createSpokenWords = (rules: StreamRules) => {
  let unread: StreamEvent[] = []
  let bytes = 0
  let words = NO_WORDS
  return {
    add(event: StreamEvent): void {
      if (event.dataLines === 0) return
      unread.push(event)
      bytes += event.raw.length
      if (bytes <= MAX_UNREAD_BYTES || unread.length === 1) return
      // Half of them at once: taking the oldest off a long list costs as much.
      unread = unread.slice(unread.length >> 1)
      bytes = unread.reduce((sum, { raw }) => sum + raw.length, 0)
    },
    read(): AgentWords {
      for (const event of unread) {
        const json = parse(event)
        const more = json === null ? null : rules.wordsOf(json)
        if (more !== null) words = addWords(words, more)
      }
      unread = []
      bytes = 0
      return words
    },
  }
}

const deniedAt = (reason: string): ToolUseVerdict => ({ released: false, reason })

/** The judge's verdict, whatever becomes of it. */
export const verdictOn = (judge: JudgeToolUse, call: AskedCall, words: AgentWords): ToolUseVerdict | Promise<ToolUseVerdict> => {
  if (call.input === undefined) return deniedAt(NOT_JSON)
  try {
    const verdict = judge({ ...call, words })
    return verdict instanceof Promise ? verdict.catch(() => deniedAt(NOT_JUDGED)) : verdict
  } catch {
    return deniedAt(NOT_JUDGED)
  }
}

/** Judges calls one after the other, and keeps those that are denied or changed. */
export const judgeAll = (judge: JudgeToolUse, calls: readonly AskedCall[], words: AgentWords, denied: Map<string, DeniedCall>): void | Promise<void> => {
  for (const [index, call] of calls.entries()) {
    const note = (verdict: ToolUseVerdict): void => {
      if (!verdict.released) denied.set(call.id, { call, reason: verdict.reason })
      else if (verdict.changedInput !== undefined) denied.set(call.id, { call, reason: '', changed: verdict.changedInput })
    }
    const verdict = verdictOn(judge, call, words)
    if (verdict instanceof Promise) return verdict.then(note).then(() => judgeAll(judge, calls.slice(index + 1), words, denied))
    note(verdict)
  }
}

interface Held {
  readonly key: unknown
  readonly own: ReadEvent[]
  /** What came between, and is not of the part. */
  readonly others: ReadEvent[]
  bytes: number
}

/**
 * A released call passes as it came, to the byte, unless a person changed its arguments; a denied one under an unknown name; everything else at once and
 * untouched. A call that never ends is never shown. `take` throws on a call above 64 MB.
 */
export const createToolUseFilter = (rules: StreamRules, judge: JudgeToolUse): ToolUseFilter => {
  const spoken = createSpokenWords(rules)
  const released = new Set<string>()
  const denied = new Map<string, DeniedCall>()
  let held: Held | null = null

  const takeAll = async (events: readonly ReadEvent[]): Promise<Passed> => {
    const passed: Buffer[] = []
    for (const event of events) passed.push(...(await take(event)))
    return passed
  }

  const release = ({ own, others }: Held): Passed | Promise<Passed> => {
    const events = own.map(({ json }) => json).filter((json) => json !== null)
    const calls = rules.callsOf(events)
    const finish = (): Passed | Promise<Passed> => {
      held = null
      for (const { id } of calls) if (!denied.has(id)) released.add(id)
      const passed = calls.some(({ id }) => denied.has(id)) ? rules.deny(events, denied) : own.map(({ event }) => event.raw)
      return others.length === 0 ? passed : takeAll(others).then((more) => [...passed, ...more])
    }
    const judged = judgeAll(judge, calls, spoken.read(), denied)
    return judged instanceof Promise ? judged.then(finish) : finish()
  }

  const take: ToolUseFilter['take'] = (read) => {
    const { event, json } = read
    if (held !== null) {
      held.bytes += keptBytes(event)
      if (held.bytes > MAX_HELD_BYTES) throw new Error('a tool call of the model is above 64 MB')
      const isOwn = json === null || rules.belongs(json, held.key)
      held[isOwn ? 'own' : 'others'].push(read)
      return isOwn && json !== null && rules.ends(json, held.key) ? release(held) : NOTHING
    }
    if (json === null || rules.wordsOf(json) !== null) {
      spoken.add(event)
      return [event.raw]
    }
    const key = rules.begins(json)
    if (key !== undefined) {
      held = { key, own: [read], others: [], bytes: keptBytes(event) }
      return rules.ends(json, key) ? release(held) : NOTHING
    }
    const mended = rules.mend(json, (id) => released.has(id), denied)
    return [mended ?? event.raw]
  }

  return {
    get isHolding() {
      return held !== null
    },
    take,
  }
}
