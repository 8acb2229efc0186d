import { execFile } from 'node:child_process'

const ANSWER_MS = 2_000

/**
 * Whether something on this desktop shows tray icons: on Linux, whether anybody owns the name under which panels watch
 * for them on the session's bus (freedesktop StatusNotifierItem). Where that cannot be asked, no is the safe answer.
 */
export const hasTrayHost = (platform: string, environment: NodeJS.ProcessEnv): Promise<boolean> => {
  if (platform !== 'linux') return Promise.resolve(true)
  const bus = environment['DBUS_SESSION_BUS_ADDRESS']
  const env = { PATH: environment['PATH'] ?? '/usr/bin:/bin', XDG_RUNTIME_DIR: environment['XDG_RUNTIME_DIR'] ?? '', ...(bus === undefined ? {} : { DBUS_SESSION_BUS_ADDRESS: bus }) }
  const question = ['--session', '--print-reply', '--dest=org.freedesktop.DBus', '/org/freedesktop/DBus', 'org.freedesktop.DBus.NameHasOwner', 'string:org.kde.StatusNotifierWatcher']
  return new Promise((resolve) => {
    execFile('dbus-send', question, { env, timeout: ANSWER_MS }, (error, stdout) => resolve(error === null && stdout.includes('boolean true')))
  })
}
