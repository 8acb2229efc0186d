import { HoldfastError } from '../../contract/errors.ts'
import type { CommandName } from '../../contract/protocol.ts'

/**
 * Who speaks. `owner`: the local socket, which only this user's own processes reach. `dashboard`: the page that shows
 * everything, with packages of others in it. `approver`: the page that answers, with none.
 */
export type Role = 'owner' | 'dashboard' | 'approver'

const everyone: readonly Role[] = ['owner', 'dashboard', 'approver']
const dashboard: readonly Role[] = ['owner', 'dashboard']
const approver: readonly Role[] = ['owner', 'approver']
const owner: readonly Role[] = ['owner']

/** Who may give each command: one that is not thought about does not compile. */
const ALLOWED: Readonly<Record<CommandName, readonly Role[]>> = {
  'host/info': everyone,
  'host/stop': owner,
  'host/examine': dashboard,
  'dashboard/open': owner,
  'dashboard/log-out': everyone,
  'profile/list': dashboard,
  'profile/resolve': dashboard,
  'setup/propose': dashboard,
  'host/audit': dashboard,
  'folder/list': dashboard,
  'folder/find': dashboard,
  'policy/rules': dashboard,
  'policy/explain': dashboard,
  'policy/replay': dashboard,
  'proposal/make': dashboard,
  'proposal/list': everyone,
  'proposal/withdraw': everyone,
  'proposal/decide': approver,
  'session/start': dashboard,
  'session/attach': dashboard,
  'session/input': dashboard,
  'session/end-input': dashboard,
  'session/resize': dashboard,
  'session/signal': dashboard,
  'session/list': everyone,
  'session/pause': everyone,
  'session/resume': everyone,
  'session/kill': everyone,
  'session/undo': dashboard,
  'checkpoint/list': everyone,
  'checkpoint/create': dashboard,
  'checkpoint/diff': everyone,
  'checkpoint/file': dashboard,
  'checkpoint/recorded-diff': dashboard,
  'checkpoint/restore': dashboard,
  'checkpoint/pin': dashboard,
  'checkpoint/usage': dashboard,
  'tool-call/list': everyone,
  'approval/list': everyone,
  'approval/decide': approver,
  'approval/statistics': everyone,
  'grant/list': everyone,
  'grant/revoke': everyone,
  'ledger/read': dashboard,
  'ledger/verify': dashboard,
  'ledger/exports': dashboard,
  'ledger/key': dashboard,
  'ledger/seal': dashboard,
  'ledger/prune': owner,
  'agent/list': dashboard,
  'agent/rotate': owner,
  'agent/retire': owner,
  'secret/set': dashboard,
  'secret/list': dashboard,
  'secret/remove': dashboard,
  'server/list': dashboard,
  'server/held': dashboard,
  'server/tools': dashboard,
  'server/block': dashboard,
  'server/running': dashboard,
  'server/accept': owner,
  'event/subscribe': everyone,
}

/** Throws HoldfastError `unauthorised` when this role may not give this command. */
export const authoriseRole = (role: Role, command: CommandName): void => {
  if (ALLOWED[command].includes(role)) return
  const where = role === 'dashboard' && (command === 'approval/decide' || command === 'proposal/decide') ? 'Answer it on the approvals page.' : 'Use the command line for it.'
  throw new HoldfastError('unauthorised', `This page may not do ${command}. ${where}`)
}
