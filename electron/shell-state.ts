import type { SessionId } from '../shared/contract/ids.ts'
import type { ApprovalRequest } from '../shared/contract/schemas/approval.ts'
import type { KillReport, Session } from '../shared/contract/schemas/session.ts'

/** All the shell knows; every icon, menu and notification follows from it. */
export interface ShellState {
  /** Why the host cannot be reached, or null when it can. */
  readonly away: string | null
  readonly sessions: readonly Session[]
  /** The questions that wait, oldest first. */
  readonly approvals: readonly ApprovalRequest[]
  readonly killing: boolean
  /** Whether this app's kill switch locked Holdfast. */
  readonly locked: boolean
  /** Whose last revert may still be taken back. */
  readonly undoable: readonly SessionId[]
}

export const AT_START: ShellState = { away: 'connecting', sessions: [], approvals: [], killing: false, locked: false, undoable: [] }

export const withHost = (state: ShellState, sessions: readonly Session[], approvals: readonly ApprovalRequest[]): ShellState => ({
  ...state,
  away: null,
  sessions,
  approvals: approvals.filter((request) => request.state === 'waiting'),
})

export const withoutHost = (state: ShellState, why: string): ShellState => ({ ...state, away: why, approvals: [] })

export const withSession = (state: ShellState, session: Session): ShellState => ({
  ...state,
  sessions: [...state.sessions.filter(({ id }) => id !== session.id), session],
})

export const withApproval = (state: ShellState, request: ApprovalRequest): ShellState => {
  const others = state.approvals.filter(({ id }) => id !== request.id)
  return { ...state, approvals: request.state === 'waiting' ? [...others, request] : others }
}

export const withKill = (state: ShellState, reports: readonly KillReport[]): ShellState => ({
  ...state,
  killing: false,
  undoable: reports.filter(({ restore }) => restore !== null).map(({ sessionId }) => sessionId),
})

/** The sessions that still run, oldest first. */
export const runningOf = ({ sessions }: ShellState): readonly Session[] =>
  sessions.filter(({ endedAt }) => endedAt === null).sort((a, b) => a.startedAt - b.startedAt)
