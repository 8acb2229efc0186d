import type { EventData } from '../../shared/contract/protocol.ts'
import type { ApprovalId, ProposalId, SessionId } from '../../shared/contract/ids.ts'
import type { CommandResult } from '../../shared/contract/protocol.ts'
import type { ApprovalRequest } from '../../shared/contract/schemas/approval.ts'
import type { Proposal } from '../../shared/contract/schemas/proposal.ts'
import type { Session } from '../../shared/contract/schemas/session.ts'
import { APP_APPROVALS, isInApp } from '../login/open-socket.ts'
import { createPacer } from './pacer.ts'
import { createHostLink, type HostLink, type LinkState } from './host-link.ts'

/** What every page knows of the host, as of one moment. */
export interface Snapshot {
  readonly link: LinkState
  /** Rises with each connection: what was asked for before may be out of date. */
  readonly connection: number
  readonly info: CommandResult<'host/info'> | null
  /** Newest first. */
  readonly sessions: readonly Session[]
  /** Those waiting, oldest first. */
  readonly approvals: readonly ApprovalRequest[]
  /** Changes that wait for a person's word, oldest first, and those that no longer do since this page was opened. */
  readonly proposals: readonly Proposal[]
  readonly alarms: readonly (EventData<'alarm/raised'> & { readonly at: number })[]
}

export interface Store {
  readonly host: HostLink
  snapshot(): Snapshot
  subscribe(listener: () => void): () => void
}

const MAX_ALARMS = 50

/** Keeps the snapshot current. However many events come, the page is told at the pacer's rate. */
export const createStore = (token: string): Store => {
  const sessions = new Map<SessionId, Session>()
  const approvals = new Map<ApprovalId, ApprovalRequest>()
  const proposals = new Map<ProposalId, Proposal>()
  const listeners = new Set<() => void>()
  let current: Snapshot = { link: 'connecting', connection: 0, info: null, sessions: [], approvals: [], proposals: [], alarms: [] }
  let pending: Partial<Snapshot> = {}
  const changed = { sessions: false, approvals: false }

  const flush = (): void => {
    current = {
      ...current,
      ...pending,
      ...(changed.sessions ? { sessions: [...sessions.values()].toSorted((a, b) => b.startedAt - a.startedAt) } : {}),
      ...(changed.approvals ? { approvals: [...approvals.values()].toSorted((a, b) => a.requestedAt - b.requestedAt) } : {}),
    }
    pending = {}
    changed.sessions = changed.approvals = false
    for (const listener of listeners) listener()
  }
  const pacer = createPacer(flush)
  const update = (part: Partial<Snapshot> = {}): void => {
    pending = { ...pending, ...part }
    pacer.request()
  }

  const putSession = (session: Session): void => {
    sessions.set(session.id, session)
    changed.sessions = true
    update()
  }
  const putApproval = (request: ApprovalRequest): void => {
    if (request.state === 'waiting') approvals.set(request.id, request)
    else approvals.delete(request.id)
    changed.approvals = true
    update()
  }

  const putProposal = (proposal: Proposal): void => {
    proposals.set(proposal.id, proposal)
    update({ proposals: [...proposals.values()] })
  }

  const host = createHostLink(token, {
    onState: (link) => update({ link }),
    onConnected: async (client) => {
      // Asked at once. Each list is taken in before the next event can come: an event is never overwritten by something older.
      const [info] = await Promise.all([
        client.call('host/info', {}),
        client.call('session/list', {}).then((list) => {
          sessions.clear()
          for (const session of list.sessions) putSession(session)
        }),
        client.call('approval/list', {}).then((waiting) => {
          approvals.clear()
          for (const request of waiting.requests) putApproval(request)
        }),
        client.call('proposal/list', {}).then((changes) => {
          proposals.clear()
          for (const proposal of changes.proposals) putProposal(proposal)
        }),
      ])
      changed.approvals = changed.sessions = true
      update({ info: isInApp() ? { ...info, approvalsPage: APP_APPROVALS } : info, connection: (pending.connection ?? current.connection) + 1 })
    },
  })
  host.on('session/changed', putSession)
  host.on('approval/changed', putApproval)
  host.on('proposal/changed', putProposal)
  host.on('alarm/raised', (alarm) => update({ alarms: [{ ...alarm, at: Date.now() }, ...(pending.alarms ?? current.alarms)].slice(0, MAX_ALARMS) }))

  return {
    host,
    snapshot: () => current,
    subscribe: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
