import { z } from 'zod'
import { ErrorBody } from '../errors.ts'

/** What the program that finds the host, or starts it, tells a shell in one line: the way to it, or why there is none. */
export const FoundHost = z.union([
  z.object({ socketPath: z.string().min(1).max(4_096), token: z.string().min(32).max(256) }),
  z.object({ error: ErrorBody }),
])
export type FoundHost = z.infer<typeof FoundHost>

/** What a program of the host needs of the environment it is started from: where things are, the way to the keychain, and the way out of the network. */
export const HOST_VARIABLES = [
  'HOLDFAST_HOME', 'HOME', 'XDG_CONFIG_HOME', 'XDG_DATA_HOME', 'APPDATA', 'LOCALAPPDATA',
  'PATH', 'LANG', 'LC_ALL', 'TZ', 'USER', 'LOGNAME', 'TMPDIR', 'SystemRoot', 'XDG_RUNTIME_DIR', 'DBUS_SESSION_BUS_ADDRESS',
  'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy', 'NODE_EXTRA_CA_CERTS', 'NODE_USE_SYSTEM_CA',
] as const
