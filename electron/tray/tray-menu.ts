import type { SessionId } from '../../shared/contract/ids.ts'
import type { Session } from '../../shared/contract/schemas/session.ts'
import { menuLabel } from '../plain-text.ts'
import { runningOf, type ShellState } from '../shell-state.ts'

/** What a person can ask the shell for. */
export type Action =
  | { readonly do: 'show'; readonly page: string }
  | { readonly do: 'approvals' }
  | { readonly do: 'kill'; readonly sessionIds: readonly SessionId[] | 'all' }
  | { readonly do: 'pause' | 'resume' | 'undo'; readonly sessionId: SessionId }
  | { readonly do: 'retry-host' }
  | { readonly do: 'unlock' }
  | { readonly do: 'choose-folder' }
  | { readonly do: 'read-release' }
  | { readonly do: 'start-at-login'; readonly on: boolean }
  | { readonly do: 'sound'; readonly on: boolean }
  | { readonly do: 'quiet'; readonly on: boolean }
  | { readonly do: 'quit' }

export interface MenuEntry {
  readonly label: string
  readonly action?: Action
  readonly submenu?: readonly MenuEntry[]
  /** Shown as a check box. */
  readonly checked?: boolean
}

export interface MenuOptions {
  /** The kill switch as the user presses it, or null when another program has taken those keys. */
  readonly hotkey: string | null
  /** null where this app cannot be started so. */
  readonly startsAtLogin: boolean | null
  /** Whether a kill is heard. */
  readonly sound: boolean
  /** Whether questions wait without being shown. */
  readonly quiet: boolean
  /** A newer version, where one was looked for and found. */
  readonly release: string | null
}

const MAX_RECENT = 5

/** The dashboard's page that launches an agent in this folder. */
export const launchPage = (folder: string): string => `launch/folder/${encodeURIComponent(folder)}`

/** The folders of the latest sessions, latest first. */
export const recentFolders = ({ sessions }: ShellState): readonly string[] =>
  [...new Set([...sessions].sort((a, b) => b.startedAt - a.startedAt).map(({ cwd }) => cwd))].slice(0, MAX_RECENT)

export const SEPARATOR: MenuEntry = { label: '' }

const folderOf = (cwd: string): string => cwd.split(/[/\\]/).filter((part) => part !== '').at(-1) ?? cwd

const sessionEntry = ({ id, agent, cwd, state }: Session): MenuEntry => ({
  label: menuLabel(`${agent} in ${folderOf(cwd)}: ${state}`),
  submenu: [
    { label: 'Show', action: { do: 'show', page: `sessions/${id}` } },
    ...(state === 'running' ? [{ label: 'Pause', action: { do: 'pause', sessionId: id } } as const] : []),
    ...(state === 'paused' ? [{ label: 'Resume', action: { do: 'resume', sessionId: id } } as const] : []),
    { label: 'Kill and put its folder back', action: { do: 'kill', sessionIds: [id] } },
  ],
})

/** The tray's menu, from top to bottom. What kills is there also while the host is away: it works without. */
export const trayMenu = (state: ShellState, { hotkey, startsAtLogin, sound, quiet, release }: MenuOptions): readonly MenuEntry[] => {
  const waiting = state.approvals.length
  const named = (id: SessionId): string => state.sessions.find((session) => session.id === id)?.agent ?? id
  return [
    ...(state.away === null ? [] : [{ label: `The host is away: ${menuLabel(state.away, 80)}` }, { label: 'Try again', action: { do: 'retry-host' } } as const]),
    ...(waiting === 0 ? [] : [{ label: waiting === 1 ? 'Answer the approval that waits…' : `Answer ${waiting} approvals that wait…`, action: { do: 'approvals' } } as const]),
    ...runningOf(state).map(sessionEntry),
    { label: hotkey === null ? 'Kill all (its hotkey is taken by another program)' : `Kill all (${hotkey})`, action: { do: 'kill', sessionIds: 'all' } },
    ...(state.locked ? [{ label: 'Unlock: let sessions start again', action: { do: 'unlock' } } as const] : []),
    ...state.undoable.map((sessionId) => ({ label: menuLabel(`Undo the revert of ${named(sessionId)}`), action: { do: 'undo', sessionId } }) as const),
    SEPARATOR,
    {
      label: 'Launch an agent',
      submenu: [
        ...recentFolders(state).map((folder) => ({ label: menuLabel(`in ${folder}`), action: { do: 'show', page: launchPage(folder) } }) as const),
        { label: 'Choose a folder…', action: { do: 'choose-folder' } },
      ],
    },
    { label: 'Dashboard', action: { do: 'show', page: 'sessions' } },
    { label: 'Usage and limits', action: { do: 'show', page: 'usage' } },
    { label: 'Settings', action: { do: 'show', page: 'settings' } },
    ...(startsAtLogin === null ? [] : [{ label: 'Start at login', checked: startsAtLogin, action: { do: 'start-at-login', on: !startsAtLogin } } as const]),
    { label: 'Do not disturb: what is asked waits, and is denied in the end', checked: quiet, action: { do: 'quiet', on: !quiet } },
    { label: 'A sound at each kill', checked: sound, action: { do: 'sound', on: !sound } },
    SEPARATOR,
    ...(release === null ? [] : [{ label: `Holdfast ${release} is out: read about it`, action: { do: 'read-release' } } as const]),
    { label: 'Quit', action: { do: 'quit' } },
  ]
}
