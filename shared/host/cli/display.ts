import { connect } from 'node:net'
import { isAbsolute, join } from 'node:path'
import { HOST_VARIABLES } from '../../contract/schemas/host.ts'

/** What a program with windows needs of the user's environment beside what the host does. */
const DESKTOP_VARIABLES = [
  ...HOST_VARIABLES, 'DISPLAY', 'WAYLAND_DISPLAY', 'XAUTHORITY', 'XDG_CURRENT_DESKTOP', 'XDG_SESSION_TYPE', 'XDG_DATA_DIRS', 'XDG_CONFIG_DIRS',
]

/** The environment for a program with windows, built of what it needs. */
export const desktopEnvironment = (env: NodeJS.ProcessEnv): Record<string, string> =>
  Object.fromEntries(DESKTOP_VARIABLES.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])))

export type DisplayAddress = { readonly path: string } | { readonly host: string; readonly port: number }

/**
 * Where the display server listens, by the environment; null when it names none. Wayland's first, as toolkits do.
 * X(7): `[host]:display[.screen]`, without a host or `unix` a socket in /tmp/.X11-unix, else TCP port 6000 + display.
 */
export const displayAddress = (env: NodeJS.ProcessEnv): DisplayAddress | null => {
  const { WAYLAND_DISPLAY: wayland = '', XDG_RUNTIME_DIR: runtime = '', DISPLAY: x = '' } = env
  if (wayland !== '' && (isAbsolute(wayland) || runtime !== '')) return { path: isAbsolute(wayland) ? wayland : join(runtime, wayland) }
  const [, host = '', display = ''] = /^([\w.-]*):(\d{1,4})(?:\.\d+)?$/.exec(x) ?? []
  if (display === '') return null
  return host === '' || host === 'unix' ? { path: `/tmp/.X11-unix/X${display}` } : { host, port: 6_000 + Number(display) }
}

const DISPLAY_TIMEOUT_MS = 1_000

/** Whether a display takes connections; on macOS and Windows there always is one. */
export const displayAnswers = async (env: NodeJS.ProcessEnv): Promise<boolean> => {
  if (process.platform === 'darwin' || process.platform === 'win32') return true
  const address = displayAddress(env)
  if (address === null) return false
  return new Promise((resolve) => {
    const socket = connect(address)
    const settle = (answers: boolean) => () => {
      socket.destroy()
      resolve(answers)
    }
    socket.setTimeout(DISPLAY_TIMEOUT_MS, settle(false)).once('connect', settle(true)).once('error', settle(false))
  })
}
