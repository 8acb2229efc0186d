import { runningOf, type ShellState } from '../shell-state.ts'

export const TRAY_ICONS = ['idle', 'running', 'waiting', 'over-budget', 'killed', 'away'] as const
export type TrayIcon = (typeof TRAY_ICONS)[number]

export interface TrayView {
  readonly icon: TrayIcon
  readonly toolTip: string
  /** Questions that wait, for the badge and the title. */
  readonly badge: number
  /** Beside the icon where a platform shows text there: what waits, and what today cost. */
  readonly title: string
}

const iconOf = (state: ShellState): TrayIcon => {
  if (state.killing) return 'killed'
  if (state.away !== null) return 'away'
  if (state.approvals.length > 0) return 'waiting'
  const running = runningOf(state)
  if (running.some(({ usage }) => usage.capMicroUsd !== null && usage.costMicroUsd >= usage.capMicroUsd)) return 'over-budget'
  if (running.length > 0) return 'running'
  const ended = state.sessions.filter(({ endedAt }) => endedAt !== null).sort((a, b) => (b.endedAt ?? 0) - (a.endedAt ?? 0))
  return ended[0]?.state === 'killed' ? 'killed' : 'idle'
}

const count = (many: number, word: string): string => `${many} ${word}${many === 1 ? '' : 's'}`

/**
 * What the sessions begun since `midnight` cost, in dollars: `$1.24`, or `$1.24+` where a model's price is unknown.
 * What a subscription pays is no bill, so it is told apart. Empty when nothing was spent.
 */
export const costText = (state: ShellState, midnight: number): string => {
  const today = state.sessions.filter(({ startedAt, usage }) => startedAt >= midnight && usage.requests > 0)
  const sum = (billing: 'api-key' | 'subscription'): string | null => {
    const billed = today.filter(({ usage }) => (usage.billing ?? 'api-key') === billing)
    if (billed.length === 0) return null
    const micro = billed.reduce((total, { usage }) => total + usage.costMicroUsd, 0)
    return `$${(micro / 1_000_000).toFixed(2)}${billed.some(({ usage }) => usage.hasUnknownPrice) ? '+' : ''}`
  }
  const paid = sum('api-key')
  const subscribed = sum('subscription')
  return [paid, subscribed === null ? null : `${subscribed} by subscription (API price)`].filter((part) => part !== null).join(', ')
}

const STATES: Readonly<Record<TrayIcon, string>> = {
  idle: 'no session runs',
  running: 'at work',
  waiting: 'waiting for you',
  'over-budget': 'a budget is used up',
  killed: 'killed',
  away: 'the host cannot be reached; nothing can be approved',
}

/** `midnight` is when the user's day began. */
export const trayView = (state: ShellState, midnight: number): TrayView => {
  const icon = iconOf(state)
  const waiting = state.approvals.length
  const cost = costText(state, midnight)
  const facts = [
    runningOf(state).length > 0 ? `${count(runningOf(state).length, 'session')}` : '',
    waiting > 0 ? `${count(waiting, 'approval')} waiting` : '',
    cost === '' ? '' : `today ${cost}`,
  ].filter((fact) => fact !== '')
  return {
    icon,
    toolTip: `Holdfast: ${state.killing ? 'killing all sessions' : STATES[icon]}${facts.length > 0 ? ` (${facts.join(', ')})` : ''}`,
    badge: waiting,
    title: [waiting > 0 ? String(waiting) : '', cost].filter((part) => part !== '').join(' '),
  }
}
