import { execFile } from 'node:child_process'

const ANSWER_MS = 1_000
const VARIABLES = ['PATH', 'XDG_RUNTIME_DIR', 'DBUS_SESSION_BUS_ADDRESS']

export interface DesktopBus {
  /** Whether something here shows tray icons (freedesktop StatusNotifierItem); where that cannot be asked, no. */
  hasTray(): Promise<boolean>
  /**
   * Whether notifications are taken just now. Electron waits for the one who shows them, for up to 25 s, and hears no
   * hotkey meanwhile: so it is asked first, by a program that may wait in its place.
   */
  takesNotifications(): Promise<boolean>
}

/** What a Linux desktop answers on its session's bus; other systems have both. */
export const createDesktopBus = (platform: string, environment: NodeJS.ProcessEnv): DesktopBus => {
  if (platform !== 'linux') return { hasTray: async () => true, takesNotifications: async () => true }
  const env = Object.fromEntries(VARIABLES.flatMap((name) => (environment[name] === undefined ? [] : [[name, environment[name]]])))
  /** The answer, or null for a refusal, and for none in time; undefined where nothing can be asked. */
  const ask = (name: string, ...call: string[]): Promise<string | null | undefined> =>
    new Promise((resolve) => {
      const args = ['--session', '--print-reply', `--reply-timeout=${ANSWER_MS}`, `--dest=${name}`, `/${name.replaceAll('.', '/')}`, ...call]
      execFile('dbus-send', args, { env, timeout: 2 * ANSWER_MS }, (error, stdout) => {
        if (error === null) resolve(stdout)
        else resolve(error.code === 'ENOENT' ? undefined : null)
      })
    })
  return {
    hasTray: async () => {
      const answer = await ask('org.freedesktop.DBus', 'org.freedesktop.DBus.NameHasOwner', 'string:org.kde.StatusNotifierWatcher')
      return answer?.includes('boolean true') === true
    },
    takesNotifications: async () => (await ask('org.freedesktop.Notifications', 'org.freedesktop.Notifications.GetServerInformation')) !== null,
  }
}
