import { bodyOf } from '../contract/schemas/ledger-bodies.ts'
import type { LedgerEntry } from '../contract/schemas/ledger.ts'
import { inputSummary } from './describe.ts'
import { formatCount, formatDuration, formatUsd, plural } from './format.ts'
import { visibleText } from './visible-text.ts'

/** Tells one session's entries, oldest first, as lines a person reads. */
export type Story = (entry: LedgerEntry) => string[]

const line = (text: string): string => visibleText(text).replaceAll(/\s+/g, ' ')
const because = (reason: string | null | undefined): string => (reason == null || reason === '' ? '' : `: "${line(reason)}"`)

/** What the model wrote, on one line and no longer than a few. */
const words = (text: string): string => {
  const shown = line(text).trim()
  return shown.length <= MAX_WORDS ? shown : `… ${shown.slice(-MAX_WORDS)}`
}
const MAX_WORDS = 400
const MAX_NAMED = 5

const named = (names: readonly string[], omitted: number): string => {
  const rest = omitted + Math.max(0, names.length - MAX_NAMED)
  const shown = names.slice(0, MAX_NAMED).map(line).join(', ')
  return shown === '' ? '' : `: ${shown}${rest === 0 ? '' : ` and ${formatCount(rest)} more`}`
}

const refText = ({ ref, from, to, pushed }: { ref: string; from: string | null; to: string | null; pushed: boolean }): string => {
  const short = (value: string): string => (/^[0-9a-f]{40,64}$/.test(value) ? value.slice(0, 8) : value)
  const name = ref.replace(/^refs\/(heads|tags|remotes)\//, '')
  if (to === null) return `${name} removed`
  if (pushed) return `${short(to)} pushed to ${name}`
  return from === null ? `${name} made at ${short(to)}` : `${name} from ${short(from)} to ${short(to)}`
}

const APPROVED_BY: Readonly<Record<string, string>> = {
  person: 'approved by a person',
  'session-grant': 'approved before, for this session',
}

const spent = (body: { usage?: { costMicroUsd: number; hasUnknownPrice: boolean } | undefined; toolCalls?: { total: number; denied: number } | undefined }): string => {
  const { usage, toolCalls } = body
  if (usage === undefined || toolCalls === undefined) return ''
  return `; ${plural(toolCalls.total, 'tool call')}, ${formatCount(toolCalls.denied)} denied, ${formatUsd(usage.costMicroUsd)}${usage.hasUnknownPrice ? ' and what has no known price' : ''}`
}

/** What happened, without its time; null for what a reader can do without. */
const tell = (entry: LedgerEntry, tools: Map<string, string>): string | null => {
  const started = bodyOf(entry, 'session/started')
  if (started) return `${started.agent} runs "${line(started.command.join(' '))}" in ${line(started.cwd)}, container ${started.container}`
  const checkpoint = bodyOf(entry, 'checkpoint/created')
  if (checkpoint) return `checkpoint "${checkpoint.reason}": ${plural(checkpoint.files, 'file')} kept`
  const secret = bodyOf(entry, 'secret/resolved')
  if (secret) return `the server ${line(secret.server)} gets the secret ${line(secret.secret)}`
  const reached = bodyOf(entry, 'network/reached')
  if (reached) return `connects to ${line(reached.host)}:${reached.port}`
  const refused = bodyOf(entry, 'network/refused')
  if (refused) return `is refused a connection to ${line(refused.host)}:${refused.port}${because(refused.reason)}`
  const model = bodyOf(entry, 'model-request/outcome')
  if (model) {
    if (model.tokens === undefined) return `model request: ${model.ended}, HTTP ${model.httpStatus ?? 'none'}, ${formatDuration(model.latencyMs)}`
    const cost = model.costMicroUsd == null ? 'price unknown' : formatUsd(model.costMicroUsd)
    return `model ${line(model.model ?? '')}: ${formatCount(model.tokens.input)} in, ${formatCount(model.tokens.output)} out, ${cost}, ${formatDuration(model.latencyMs)}, stops for ${line(model.stopReason ?? 'nothing')}`
  }
  const proposed = bodyOf(entry, 'tool-call/proposed')
  if (proposed) {
    const { text, thinking } = proposed.words ?? { text: '', thinking: '' }
    const said = [...(thinking === '' ? [] : [`thinks: "${words(thinking)}"`]), ...(text === '' ? [] : [`says: "${words(text)}"`])]
    return said.length === 0 ? null : said.join('; ')
  }
  const intent = bodyOf(entry, 'tool-call/intent')
  if (intent) {
    tools.set(intent.toolCallId, intent.tool)
    const { class: actionClass, reasons } = intent.decision.classification
    const by = intent.approvedBy === null ? '' : `, ${APPROVED_BY[intent.approvedBy] ?? line(intent.approvedBy)}`
    return `${line(intent.tool)}: ${inputSummary(intent.input)} (${actionClass}: ${line(reasons.join('; '))}${by})`
  }
  const denied = bodyOf(entry, 'tool-call/decision')
  if (denied) return `${line(denied.tool)} ${line(denied.effect)}${'input' in denied ? `: ${inputSummary(denied.input)}` : ''}. ${line(denied.reason)}`
  const outcome = bodyOf(entry, 'tool-call/outcome')
  if (outcome) {
    const tool = outcome.tool ?? tools.get(outcome.toolCallId) ?? 'the call'
    tools.delete(outcome.toolCallId)
    const how = outcome.ok === null ? 'ended, nobody knows how' : outcome.ok ? 'is done' : 'failed'
    const redacted = outcome.redacted === undefined || outcome.redacted === 0 ? '' : `; ${plural(outcome.redacted, 'secret')} taken out of its result`
    return `  ${line(tool)} ${how} after ${formatDuration(outcome.durationMs)}: ${line(outcome.summary)}${redacted}`
  }
  const changed = bodyOf(entry, 'file/changed')
  if (changed) {
    const { added, modified, deleted, linesAdded, linesRemoved } = changed.counts
    const files = named(changed.files.map(({ path }) => path), changed.omitted)
    return `${changed.toolCallIds.length === 0 ? 'in all' : '  files'}: ${formatCount(added)} added, ${formatCount(modified)} modified, ${formatCount(deleted)} deleted (+${formatCount(linesAdded)} -${formatCount(linesRemoved)} lines)${files}`
  }
  const moved = bodyOf(entry, 'git/moved')
  if (moved) return `${moved.toolCallIds.length === 0 ? 'in all, git' : '  git'}${named(moved.refs.map(refText), moved.omitted)}`
  const asked = bodyOf(entry, 'approval/requested')
  if (asked) return `asks to use ${line(asked.tool)}`
  const answer = bodyOf(entry, 'approval/decided')
  if (answer) return `  ${answer.state} after ${formatDuration(answer.waitedMs)}${answer.via == null ? '' : ` through ${line(answer.via)}`}${answer.scope === 'once' ? '' : `, for ${answer.scope}`}${because(answer.reason)}`
  const paused = bodyOf(entry, 'session/paused')
  if (paused) return `paused${because(paused.reason)}`
  if (entry.kind === 'session/resumed') return 'goes on'
  const alarm = bodyOf(entry, 'alarm/raised')
  if (alarm) return `ALARM: ${line(alarm.message)}`
  const restored = bodyOf(entry, 'checkpoint/restored')
  if (restored) return restored.undo === true ? 'the revert was taken back' : 'the folder was put back'
  const ended = bodyOf(entry, 'session/ended')
  if (ended) return ended.failed === undefined ? `ended with code ${ended.exitCode ?? 'none'}${spent(ended)}` : `did not start: ${line(ended.failed)}`
  const killed = bodyOf(entry, 'session/killed')
  if (killed) {
    const survivors = killed.survivors === undefined || killed.survivors.length === 0 ? 'none' : killed.survivors.join(', ')
    return `KILLED: ${plural(killed.processesKilled, 'process', 'processes')} ended in ${formatDuration(killed.durationMs)}, survivors: ${survivors}${spent(killed)}`
  }
  if (entry.pruned) return `${entry.kind}: its content was pruned`
  return entry.kind === 'model-request/intent' ? null : entry.kind
}

/** Each line begins with the time since the session's first entry. */
export const createStory = (): Story => {
  const tools = new Map<string, string>()
  let begin: number | null = null
  return (entry) => {
    const heading = begin === null ? [`${entry.sessionId ?? ''} on ${new Date(entry.at).toISOString().slice(0, 19).replace('T', ' ')} UTC`] : []
    begin ??= entry.at
    const what = tell(entry, tools)
    return what === null ? heading : [...heading, `${`+${formatDuration(entry.at - begin)}`.padStart(10)}  ${what}`]
  }
}
