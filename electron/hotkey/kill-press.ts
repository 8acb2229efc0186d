/** Within this time of the first a further press, or the keys held down, also locks. */
export const LOCK_WITHIN_MS = 2_000

/** Presses that follow each other faster are one that is held: keyboards repeat some 10 to 40 times a second. */
const REPEATS_WITHIN_MS = 200

export type KillStep = 'kill' | 'kill-and-lock'

/**
 * What a press of the kill switch does, by the time since the one before, in ms: null when there was none. Keys that are
 * held arrive as presses that repeat: once those have locked, the rest of them does nothing, which null says.
 */
export const killStep = (sinceLastMs: number | null, hasLocked: boolean): KillStep | null => {
  if (sinceLastMs === null || sinceLastMs < 0 || sinceLastMs > LOCK_WITHIN_MS) return 'kill'
  return hasLocked && sinceLastMs < REPEATS_WITHIN_MS ? null : 'kill-and-lock'
}

export const DEFAULT_HOTKEY = 'Control+Alt+Shift+K'

const MODIFIERS = new Set(['Control', 'Ctrl', 'Command', 'Cmd', 'CommandOrControl', 'CmdOrCtrl', 'Alt', 'Option', 'Shift', 'Super', 'Meta'])
const KEY = /^([A-Z0-9]|F([1-9]|1\d|2[0-4])|Escape|Backspace|Delete|Pause|Home|End|PageUp|PageDown|Up|Down|Left|Right)$/

/**
 * The accelerator to register: the user's when it makes sense (two modifiers at least, so that no ordinary typing
 * kills, and one key), else the default.
 */
export const hotkeyOf = (wanted: unknown): string => {
  if (typeof wanted !== 'string') return DEFAULT_HOTKEY
  const parts = wanted.split('+')
  const key = parts.pop() ?? ''
  const isSound = KEY.test(key) && parts.length >= 2 && new Set(parts).size === parts.length && parts.every((part) => MODIFIERS.has(part))
  return isSound ? wanted : DEFAULT_HOTKEY
}

const MAC: Readonly<Record<string, string>> = { Control: '⌃', Ctrl: '⌃', Alt: '⌥', Option: '⌥', Shift: '⇧', Command: '⌘', Cmd: '⌘', CommandOrControl: '⌘', CmdOrCtrl: '⌘' }
const OTHER: Readonly<Record<string, string>> = { Control: 'Ctrl', CommandOrControl: 'Ctrl', CmdOrCtrl: 'Ctrl' }

/** An accelerator as the platform writes its keys: `Ctrl+Alt+Shift+K`, on macOS `⌃⌥⇧K`. */
export const hotkeyLabel = (accelerator: string, platform: string): string => {
  const parts = accelerator.split('+')
  return platform === 'darwin' ? parts.map((part) => MAC[part] ?? part).join('') : parts.map((part) => OTHER[part] ?? part).join('+')
}
