import type { LedgerEntry, LedgerKind } from '../../../shared/contract/schemas/ledger.ts'
import type { ActionClass, ToolCall } from '../../../shared/contract/schemas/tool-call.ts'
import { inputSummary } from '../../../shared/domain/describe.ts'
import { formatCount, formatDuration, formatUsd, plural } from '../../../shared/domain/format.ts'
import { visibleText } from '../../../shared/domain/visible-text.ts'

/** One line of a session's story: a tool call or model request with all that became of it, or a single event. */
export interface TimelineRow {
  readonly key: string
  readonly at: number
  readonly kind: 'call' | 'model' | 'said' | 'change' | 'session' | 'checkpoint' | 'network' | 'alarm'
  title: string
  what: string
  class: ActionClass | null
  /** What became of it, in a word or two. */
  state: string
  /** Cost or duration. */
  aside: string
  /** What was asked for, when it is known. */
  input: unknown
  reasons: readonly string[]
  readonly entries: LedgerEntry[]
}

export interface Timeline {
  readonly rows: readonly TimelineRow[]
  /** Takes an entry in; one that was taken already, or an older one, changes nothing. */
  add(entry: LedgerEntry): void
  /** What an entry does not say: what a call that never ran would have done. */
  addCall(call: ToolCall): void
}

type Body = Readonly<Record<string, unknown>>

const text = (value: unknown): string => (typeof value === 'string' ? visibleText(value) : '')
const number = (value: unknown): number | null => (typeof value === 'number' ? value : null)

const decisionOf = (body: Body): { class: ActionClass | null; reasons: readonly string[] } => {
  const { classification } = (body['decision'] ?? {}) as { classification?: { class?: ActionClass; reasons?: string[] } }
  return { class: classification?.class ?? null, reasons: (classification?.reasons ?? []).map(visibleText) }
}

/** Fields of a row, each only when the entry says something of it. */
const CALL: Partial<Record<LedgerKind, (body: Body) => Partial<TimelineRow>>> = {
  'approval/requested': (body) => ({ title: text(body['tool']), state: 'waits for approval' }),
  'approval/decided': (body) => ({ state: text(body['state']) }),
  'tool-call/intent': (body) => ({ title: text(body['tool']), state: 'running', input: body['input'], what: visibleText(inputSummary(body['input'])), ...decisionOf(body) }),
  'tool-call/decision': (body) => ({ title: text(body['tool']), state: text(body['effect']), ...decisionOf(body) }),
  'tool-call/outcome': (body) => ({ state: body['ok'] === true ? 'done' : body['ok'] === false ? 'failed' : 'end unknown', aside: number(body['durationMs']) === null ? '' : formatDuration(body['durationMs'] as number) }),
}

const tokensOf = (body: Body): string => {
  const tokens = body['tokens'] as Readonly<Record<string, number>> | undefined
  if (tokens === undefined) return ''
  const { input = 0, cacheRead = 0, cacheWrite5m = 0, cacheWrite1h = 0, output = 0 } = tokens
  return `${formatCount(input + cacheRead + cacheWrite5m + cacheWrite1h)} tokens in, ${formatCount(output)} out`
}

const MODEL: Partial<Record<LedgerKind, (body: Body) => Partial<TimelineRow>>> = {
  'model-request/intent': (body) => ({ title: 'model', state: 'asked', what: text(body['model']) || text(body['endpoint']) }),
  'model-request/outcome': (body) => ({
    state: number(body['httpStatus']) === 200 ? 'answered' : `status ${String(body['httpStatus'] ?? 'none')}`,
    ...(body['tokens'] === undefined ? {} : { what: `${text(body['model'])}: ${tokensOf(body)}`, aside: number(body['costMicroUsd']) === null ? 'price unknown' : formatUsd(body['costMicroUsd'] as number) }),
  }),
}

type Counts = Readonly<Record<'added' | 'modified' | 'deleted' | 'linesAdded' | 'linesRemoved', number>>

const filesOf = (body: Body): string => {
  const { added = 0, modified = 0, deleted = 0 } = (body['counts'] ?? {}) as Partial<Counts>
  const names = ((body['files'] ?? []) as { path: string }[]).slice(0, 5).map(({ path }) => visibleText(path))
  return `${names.join(', ')}${added + modified + deleted > names.length ? ` and ${added + modified + deleted - names.length} more` : ''}`
}
const linesOf = (body: Body): string => {
  const { linesAdded = 0, linesRemoved = 0 } = (body['counts'] ?? {}) as Partial<Counts>
  return `+${linesAdded} −${linesRemoved} lines`
}
const refsOf = (body: Body): string => ((body['refs'] ?? []) as { ref: string; pushed?: boolean }[]).map(({ ref, pushed }) => `${visibleText(ref)}${pushed === true ? ' (pushed)' : ''}`).join(', ')
const wordsOf = (body: Body): string => {
  const words = (body['words'] ?? {}) as { text?: string; thinking?: string }
  return visibleText(words.text || words.thinking || '').replaceAll(/\s+/g, ' ')
}

const SINGLE: Partial<Record<LedgerKind, (body: Body) => Pick<TimelineRow, 'kind' | 'title' | 'what'> & Partial<TimelineRow>>> = {
  'tool-call/proposed': (body) => ({ kind: 'said', title: 'said', what: wordsOf(body), input: body['words'] ?? undefined, aside: `then asked for ${text(body['tool'])}` }),
  'file/changed': (body) => ({ kind: 'change', title: 'changed', what: filesOf(body), aside: linesOf(body) }),
  'git/moved': (body) => ({ kind: 'change', title: 'moved', what: refsOf(body) }),
  'session/started': (body) => ({ kind: 'session', title: 'started', what: visibleText((body['command'] as string[] | undefined)?.join(' ') ?? '') }),
  'session/paused': (body) => ({ kind: 'session', title: 'paused', what: text(body['reason']) }),
  'session/resumed': () => ({ kind: 'session', title: 'resumed', what: '' }),
  'session/ended': (body) => ({ kind: 'session', title: 'ended', what: body['failed'] !== undefined ? text(body['failed']) : number(body['exitCode']) === null ? `by ${text(body['signal']) || 'a signal'}` : `exit code ${String(body['exitCode'])}` }),
  'session/killed': (body) => ({ kind: 'session', title: 'killed', what: `${plural(number(body['processesKilled']) ?? 0, 'process', 'processes')} ended` }),
  'usage/compared': (body) => ({ kind: 'session', title: "the agent's own count", what: text(body['difference']) || 'agrees', aside: `its ${text(body['source'])}` }),
  'checkpoint/created': (body) => ({ kind: 'checkpoint', title: 'checkpoint', what: `${text(body['reason'])}, ${plural(number(body['files'] ?? body['fileCount']) ?? 0, 'file')}` }),
  'checkpoint/restored': (body) => ({ kind: 'checkpoint', title: body['undo'] === true ? 'undone' : 'reverted', what: `${plural(number(body['written']) ?? 0, 'file')} put back, ${number(body['deleted']) ?? 0} removed` }),
  'commit/signed': (body) => ({ kind: 'checkpoint', title: `${text(body['object'])} signed`, what: text(body['subject']) }),
  'identity/overruled': (body) => ({ kind: 'alarm', title: 'another name overruled', what: text(body['what']) }),
  'network/reached': (body) => ({ kind: 'network', title: 'connected', what: `${text(body['host'])}:${String(body['port'])}` }),
  'network/refused': (body) => ({ kind: 'network', title: 'refused', what: `${text(body['host'])}:${String(body['port'])} ${text(body['reason'])}` }),
  'secret/resolved': (body) => ({ kind: 'session', title: 'secret used', what: `${text(body['secret'])} by ${text(body['server'])}` }),
  'secret/changed': (body) => ({ kind: 'session', title: `secret ${text(body['change'])}`, what: text(body['secret']) }),
  'server/switched': (body) => ({ kind: 'session', title: body['allowed'] === true ? 'switched on' : 'switched off', what: `${text(body['tool'])} of ${text(body['server'])}` }),
  'profile/changed': (body) => ({ kind: 'session', title: 'profile changed', what: `${text(body['profile'])}: ${((body['wider'] as string[] | undefined) ?? []).map(visibleText).join('; ')}` }),
  'ledger/sealed': (body) => ({ kind: 'session', title: 'sealed', what: `entries ${String(body['from'])} to ${String(body['to'])}` }),
  'alarm/raised': (body) => ({ kind: 'alarm', title: 'alarm', what: text(body['message']) }),
}

/** What one entry says, in a line; empty where nothing more than its kind is known. */
export const entryText = ({ kind, body }: Pick<LedgerEntry, 'kind' | 'body'>): string => {
  const { title = '', what = '', state = '' }: Partial<TimelineRow> = (CALL[kind] ?? MODEL[kind] ?? SINGLE[kind])?.(body) ?? {}
  return [title, what, state].filter((part) => part !== '').join(' · ')
}

export const createTimeline = (): Timeline => {
  const rows: TimelineRow[] = []
  const byKey = new Map<string, TimelineRow>()
  /** Calls that were told of before any entry of theirs. */
  const early = new Map<string, ToolCall>()
  let last = 0

  const rowFor = (key: string, at: number, kind: TimelineRow['kind']): TimelineRow => {
    const known = byKey.get(key)
    if (known !== undefined) return known
    const row: TimelineRow = { key, at, kind, title: '', what: '', class: null, state: '', aside: '', input: undefined, reasons: [], entries: [] }
    byKey.set(key, row)
    rows.push(row)
    const call = early.get(key)
    early.delete(key)
    if (call !== undefined) tellCall(row, call)
    return row
  }
  const tellCall = (row: TimelineRow, call: ToolCall): void => {
    if (row.input !== undefined) return
    row.input = call.input
    row.what = visibleText(inputSummary(call.input))
    if (call.decision === null) return
    row.class = call.decision.classification.class
    row.reasons = call.decision.classification.reasons.map(visibleText)
  }
  const tell = (row: TimelineRow, entry: LedgerEntry, part: Partial<TimelineRow>): void => {
    Object.assign(row, part)
    row.entries.push(entry)
  }

  return {
    rows,
    add: (entry) => {
      if (entry.sequence <= last) return
      last = entry.sequence
      const { kind, body, at } = entry
      if (CALL[kind] !== undefined) tell(rowFor(String(body['toolCallId']), at, 'call'), entry, CALL[kind](body))
      else if (MODEL[kind] !== undefined) tell(rowFor(`m${String(body['intent'] ?? entry.sequence)}`, at, 'model'), entry, MODEL[kind](body))
      else if (kind === 'tool-call/proposed' && wordsOf(body) === '') return
      else tell(rowFor(String(entry.sequence), at, 'session'), entry, SINGLE[kind]?.(body) ?? { title: kind })
    },
    addCall: (call) => {
      const row = byKey.get(call.id)
      if (row === undefined) early.set(call.id, call)
      else tellCall(row, call)
    },
  }
}

/** Rows that hold all of the words and are of the class. */
export const filterRows = (rows: readonly TimelineRow[], words: string, only: ActionClass | 'denied' | 'said' | 'change' | 'all'): readonly TimelineRow[] => {
  const wanted = words.toLowerCase().split(/\s+/).filter((word) => word !== '')
  if (wanted.length === 0 && only === 'all') return rows
  return rows.filter((row) => {
    if (only === 'denied' ? !['denied', 'deny', 'expired'].includes(row.state) : only !== 'all' && row.class !== only && row.kind !== only) return false
    const held = `${row.title} ${row.what} ${row.state}`.toLowerCase()
    return wanted.every((word) => held.includes(word))
  })
}
