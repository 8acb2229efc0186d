import type { ApprovalRequest } from '../../contract/schemas/approval.ts'
import type { RestoreReport } from '../../contract/schemas/checkpoint.ts'
import type { Finding } from '../../contract/schemas/finding.ts'
import type { LedgerEntry } from '../../contract/schemas/ledger.ts'
import type { KillReport, Session } from '../../contract/schemas/session.ts'
import { costText, inputLines, lastMinuteText } from '../../domain/describe.ts'
import { foreseenFacts } from '../../domain/foresight/words.ts'
import { formatCount, formatDuration, formatUsd, plural } from '../../domain/format.ts'
import { hasRestored, restoreCounts } from '../../domain/restore-report.ts'
import { costOf, type usageByPeriod } from '../../domain/usage-tally.ts'
import { visibleLine, visibleText } from '../../domain/visible-text.ts'
import { table } from './output.ts'


export const sessionLines = (sessions: readonly Session[], now: number): string[] => {
  if (sessions.length === 0) return ['No sessions. Start one with: holdfast run -- claude']
  return table([
    ['SESSION', 'AGENT', 'STATE', 'CONTAINER', 'AGE', 'CALLS', 'WAITING', 'COST', 'FOLDER'],
    ...sessions.map((session) => [
      session.id,
      session.agent,
      session.state,
      session.container === 'off' ? 'OFF' : session.container,
      formatDuration((session.endedAt ?? now) - session.startedAt),
      session.adapter === 'none' ? 'not seen' : String(session.toolCalls.total),
      String(session.waitingApprovals),
      costText(session.usage),
      visibleLine(session.cwd),
    ]),
  ])
}

/** Enough of a preview to go by; `approvals ID` has more. */
const SHORT = 12

/** One question in full. Of what was looked up at most `limit` lines a part; of the call itself everything. */
export const approvalLines = (request: ApprovalRequest, now: number, limit = SHORT): string[] => [
  `${request.id}  ${request.agent} wants to use ${visibleLine(request.tool)} (${request.decision.classification.class})`,
  ...inputLines(request.input).map((line) => `    ${line}`),
  `  in        ${visibleLine(request.cwd)}`,
  `  why       ${visibleLine(request.decision.classification.reasons.join('; '))}`,
  ...request.decision.rules.map((rule) => `  rule      ${rule.effect} ${visibleLine(rule.rule)} (${visibleLine(rule.source)})`),
  ...foreseenFacts(request, limit).flatMap(({ name, lines, more }) => [
    ...lines.map((line, index) => `  ${(index === 0 ? name : '').padEnd(10)}${visibleLine(line)}`),
    ...(more === 0 ? [] : [`            …and ${formatCount(more)} more`]),
  ]),
  `  expires   ${request.expiresAt > now ? `in ${formatDuration(request.expiresAt - now)}, then denied` : 'now'}`,
]

/** Questions for the very same call, oldest first, each with the others. */
export const alikeGroups = (requests: readonly ApprovalRequest[]): (readonly [ApprovalRequest, ...ApprovalRequest[]])[] => {
  const groups = new Map<string, [ApprovalRequest, ...ApprovalRequest[]]>()
  for (const request of requests) {
    const group = groups.get(request.bindingHash)
    if (group === undefined) groups.set(request.bindingHash, [request])
    else group.push(request)
  }
  return [...groups.values()]
}

/** Of what a session left in dependencies and build output a person knows nothing, and runs it next. */
const notKeptLines = ({ notKept }: RestoreReport): string[] =>
  notKept === undefined
    ? []
    : [`As the session left them, since no checkpoint keeps them: ${notKept.paths.map(visibleLine).join(', ')}${notKept.total > notKept.paths.length ? ` and ${formatCount(notKept.total - notKept.paths.length)} more` : ''}.`]

export const restoreLines = (report: RestoreReport): string[] => {
  const { written, deleted, refsMoved } = restoreCounts(report)
  const moreConflicts = report.more?.conflicts ?? 0
  return [
    `${plural(written, 'file')} put back, ${plural(deleted, 'file')} removed, ${plural(refsMoved, 'ref')} moved back.`,
    ...report.conflicts.map(({ path, recoveredAs }) => `Kept as you left it: ${visibleLine(path)}; ${recoveredAs === null ? 'in the other version it is not there' : `the other version is ${visibleLine(recoveredAs)}`}`),
    ...(moreConflicts === 0 ? [] : [`Kept as you left them: ${formatCount(moreConflicts)} more.`]),
    ...report.leftAlone.map((path) => `Left alone, since the session did not change it: ${visibleLine(path)}`),
    ...(report.more === undefined || report.more.leftAlone === 0 ? [] : [`Left alone: ${formatCount(report.more.leftAlone)} more.`]),
    ...notKeptLines(report),
  ]
}

export const killLines = (report: KillReport): string[] => [
  `${report.sessionId}: ${plural(report.processesKilled, 'process', 'processes')} ended in ${formatDuration(report.durationMs)}, survivors: ${
    report.survivors.length === 0 ? 'none' : report.survivors.join(', ')
  }`,
  ...(report.restore === null ? [] : restoreLines(report.restore)),
  ...(report.restore !== null && hasRestored(report.restore) ? [`To take that back: holdfast undo ${report.sessionId}`] : []),
  ...(report.restoreProblem === null ? [] : [report.restoreProblem]),
]

export const ledgerLine = (entry: LedgerEntry): string => {
  const { tool, state, reason, effect, model, costMicroUsd } = entry.body as Record<string, unknown>
  const facts = [tool, effect, state, model, typeof costMicroUsd === 'number' ? formatUsd(costMicroUsd) : undefined, reason]
  const told = facts.filter((fact): fact is string => typeof fact === 'string').map(visibleLine)
  return [String(entry.sequence).padStart(6), new Date(entry.at).toISOString(), entry.kind.padEnd(22), entry.sessionId ?? '-'.padEnd(16), told.join(' · ')].join('  ')
}

/** What was used until now, whichever host ran. */
export const totalLines = (totals: ReturnType<typeof usageByPeriod>): string[] =>
  table([
    ['', 'REQUESTS', 'TOKENS', 'COST'],
    ...([['today', totals.today], ['this month', totals.month], ['in all', totals.all]] as const).map(([name, part]) => [name, formatCount(part.requests), formatCount(part.tokens), costOf(part)]),
  ])

export const usageLines = (sessions: readonly Session[]): string[] => {
  const used = sessions.filter((session) => session.usage.requests > 0 || session.toolCalls.total > 0)
  if (used.length === 0) return ['No session has used anything since the host started.']
  return table([
    ['SESSION', 'AGENT', 'REQUESTS', 'INPUT', 'OUTPUT', 'CACHE READ', 'CACHE WRITE', 'CALLS', 'DENIED', 'COST', 'CAP', 'LAST MINUTE'],
    ...used.map(({ id, agent, usage, toolCalls, lastMinute }) => [
      id,
      agent,
      formatCount(usage.requests),
      formatCount(usage.tokens.input),
      formatCount(usage.tokens.output),
      formatCount(usage.tokens.cacheRead),
      formatCount(usage.tokens.cacheWrite5m + usage.tokens.cacheWrite1h),
      formatCount(toolCalls.total),
      formatCount(toolCalls.denied),
      costText(usage),
      usage.capMicroUsd === null ? '-' : formatUsd(usage.capMicroUsd),
      lastMinuteText(lastMinute),
    ]),
  ])
}

/** One finding of the doctor. */
export const doctorLines = ({ name, state, message, todo }: Finding): string[] => [
  `${state.padEnd(4)}  ${name.padEnd(9)}  ${visibleText(message)}`,
  ...(todo === null ? [] : [`${' '.repeat(17)}${visibleText(todo)}`]),
]
