import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { Settings } from '../../electron/settings.ts'
import { startShell, type Shell } from '../../electron/shell.ts'
import { CheckpointId } from '../../shared/contract/ids.ts'
import type { CommandResult } from '../../shared/contract/protocol.ts'
import type { ApprovalRequest } from '../../shared/contract/schemas/approval.ts'
import type { KillReport } from '../../shared/contract/schemas/session.ts'
import type { Release } from '../../shared/contract/schemas/update.ts'
import type { Role } from '../../shared/core/api/roles.ts'
import { createEventHub, type EventHub } from '../../shared/core/api/event-hub.ts'
import { listenLocalSocket, type LocalSocketServer } from '../../shared/core/transports/local-socket-server.ts'
import { createElectronDouble, type ElectronDouble } from './electron-double.ts'
import { anApproval, aSession, sessionId } from './shell-state.ts'

/*
 * The app over a double of Electron and a stand-in for the host behind the real local socket: one of each for the test
 * that runs, from `setUp` to `tearDown`.
 */

const TOKEN = 'a-token-of-this-test-and-nothing-else-0123'
export const REPORT: KillReport = { sessionId: sessionId('b'), processesKilled: 2, survivors: [], durationMs: 1, restore: null, restoreProblem: null }
const [before, asKilled] = ['chk_22222222222b', 'chk_22222222222c'].map((id) => CheckpointId.parse(id)) as [CheckpointId, CheckpointId]
const RESTORE = { restoredTo: before, savedAs: asKilled, written: ['a'], deleted: [], conflicts: [], leftAlone: [], refsMoved: [] }
export const RESTORED: KillReport = { ...REPORT, restore: RESTORE }

export let folder: string
export let server: LocalSocketServer
export let hub: EventHub
export let electron: ElectronDouble
export let shell: Shell
export let asked: { command: string; params: unknown; role: Role }[]
export let killedAlone: unknown[]
export let kept: Settings[]

/** How the host is, for the test to change. `proven`: when it has proven its kill. `hangs`: it takes up commands and answers none. */
export let host: { waiting: ApprovalRequest[]; report: KillReport; proven: Promise<void>; hangs: boolean }

export const listen = async (): Promise<void> => {
  hub = createEventHub()
  const answers: Record<string, () => unknown> = {
    'event/subscribe': () => ({ sequence: 0 }),
    'session/list': () => ({ sessions: [aSession('b')] }),
    'approval/list': () => ({ requests: host.waiting }),
    'session/kill': () => ({ reports: [host.report] }),
    'session/undo': () => RESTORE,
    'host/info': (): CommandResult<'host/info'> => ({ version: '0', pid: 1, startedAt: 0, dataFolder: '/', sessions: 1, approvalsPage: null }),
    'approval/decide': () => ({ ...anApproval('b'), state: 'denied' }),
  }
  server = await listenLocalSocket({
    socketPath: join(folder, 'host.sock'),
    token: TOKEN,
    hub,
    isForbiddenPeer: () => false,
    dispatch: async (connection, { id, command, params }) => {
      asked.push({ command, params, role: connection.role })
      if (host.hangs) return new Promise(() => undefined)
      if (command === 'session/kill') await host.proven
      if (command === 'event/subscribe') hub.subscribe(connection)
      return { id, result: answers[command]?.() ?? {} }
    },
  })
}

export const start = (changes: { keysTaken?: boolean } = {}, given: { settings?: Settings; hasTray?: boolean; takesNotifications?: boolean; release?: Release; onKillAlone?: () => void } = {}): void => {
  Object.assign(electron, changes)
  shell = startShell({
    parts: electron.parts,
    platform: 'linux',
    appFolder: folder,
    settings: given.settings ?? {},
    settingsFile: '/settings/shell.json',
    keep: (changes) => void kept.push(changes),
    startAtLogin: null,
    newerVersion: async () => given.release ?? null,
    hasTray: async () => given.hasTray ?? true,
    takesNotifications: async () => given.takesNotifications ?? true,
    findHost: async () => ({ socketPath: join(folder, 'host.sock'), token: TOKEN }),
    killAlone: async (ids, lock) => {
      given.onKillAlone?.()
      killedAlone.push(lock ? `${String(ids)}, and lock` : ids)
      return [REPORT]
    },
    unlock: async () => void killedAlone.push('unlock'),
  })
}
export const connected = async (): Promise<void> => {
  await expect.poll(() => shell.state().away).toBeNull()
}
export const icon = (name: string): string => join(folder, 'icons', name)
export const approvalsWindow = () => electron.windows.find(({ options }) => options.webPreferences?.partition === 'approvals')
export const said = (): (string | undefined)[] => electron.notifications.map(({ options }) => options.title)
export const press = (): void => electron.shortcuts.get('Control+Alt+Shift+K')?.()

export const setUp = async (): Promise<void> => {
  folder = await mkdtemp(join(tmpdir(), 'hf-'))
  asked = []
  killedAlone = []
  kept = []
  host = { waiting: [], report: REPORT, proven: Promise.resolve(), hangs: false }
  electron = createElectronDouble()
  for (const page of ['approval', 'dashboard']) {
    await mkdir(join(folder, 'renderer', page), { recursive: true })
    await writeFile(join(folder, 'renderer', page, 'index.html'), page)
  }
  await listen()
}
export const tearDown = async (): Promise<void> => {
  electron.answers.push('Quit and let them run')
  shell.act({ do: 'quit' })
  await expect.poll(() => electron.exited).toBe(true)
  await server.close()
  await rm(folder, { recursive: true, force: true })
}
