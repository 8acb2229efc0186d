import { execFile } from 'node:child_process'
import { delimiter } from 'node:path'
import { promisify } from 'node:util'
import { HoldfastError } from '../../contract/errors.ts'
import { findExecutable, pathOutOfReach, requireOutOfReach } from '../agents/find-executable.ts'
import type { Clock } from '../ports.ts'

/** A secret that somebody else issues, and how long it is good. */
export interface IssuedSecret {
  readonly value: string
  /** null when it is not known to end. */
  readonly expiresAt: number | null
}

export interface SecretCommandDeps {
  readonly clock: Clock
  /** The host's own environment, of which a command gets what it needs to know its user. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Where an agent could have put a program: none is run from there. */
  readonly agentFolder: string
}

/** `exec: command`, or `exec[field.of.its.json]: command`. */
const REFERENCE = /^exec(?:\[([\w.-]{1,200})\])?:\s*(\S[^]*)$/
const WORDS = /"([^"]*)"|'([^']*)'|(\S+)/g
const TIMEOUT_MS = 30_000
const MAX_OUTPUT_BYTES = 65_536
const PASSED = /^(PATH|HOME|USER|LOGNAME|LANG|TMPDIR|XDG_\w+|DBUS_SESSION_BUS_ADDRESS|DISPLAY|WAYLAND_DISPLAY|SSH_AUTH_SOCK|AWS_(PROFILE|REGION|DEFAULT_REGION|CONFIG_FILE|SHARED_CREDENTIALS_FILE)|VAULT_(ADDR|NAMESPACE|CACERT)|GH_HOST|OP_ACCOUNT|CLOUDSDK_CONFIG|AZURE_CONFIG_DIR)$/
/** Names under which programs give a secret, and its end: in seconds from now, or as a time. */
const VALUES = ['token', 'access_token', 'accessToken', 'value', 'password', 'secret']
const LIFETIMES = ['expires_in', 'expiresIn', 'lease_duration']
const ENDS = ['expires_at', 'expiresAt', 'expires_on', 'expiration', 'Expiration', 'expirationTimestamp']

export const isSecretCommand = (reference: string): boolean => REFERENCE.test(reference)

/** The program of a reference, which is what may be recorded of it. */
export const programOf = (reference: string): string => REFERENCE.exec(reference)?.[2]?.split(/\s/)[0] ?? ''

const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> => (typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {})

const endIn = (holders: readonly unknown[], now: number): number | null => {
  for (const fields of holders.map(fieldsOf)) {
    const seconds = LIFETIMES.map((name) => Number(fields[name])).find((one) => one > 0)
    if (seconds !== undefined) return now + seconds * 1_000
    const time = ENDS.map((name) => fields[name]).find((one) => typeof one === 'string' || typeof one === 'number')
    if (time === undefined) continue
    const at = typeof time === 'number' ? (time < 1e12 ? time * 1_000 : time) : Date.parse(time)
    if (!Number.isNaN(at)) return at
  }
  return null
}

/** Reads what a command printed: the secret alone, or JSON that holds it. null when there is none in it. */
export const readIssued = (output: string, field: string | null, now: number): IssuedSecret | null => {
  let parsed: unknown
  try {
    parsed = JSON.parse(output)
  } catch {
    parsed = null
  }
  if (typeof parsed !== 'object' || parsed === null) return field === null && output !== '' ? { value: output, expiresAt: null } : null
  const path = field?.split('.') ?? []
  const holders: unknown[] = [parsed]
  for (const name of path.slice(0, -1)) holders.unshift(fieldsOf(holders[0])[name])
  const data = fieldsOf(parsed)['data']
  const places = field === null ? [parsed, data, fieldsOf(data)['data']] : [holders[0]]
  const names = field === null ? VALUES : [path.at(-1) ?? '']
  const value = places.flatMap((place) => names.map((name) => fieldsOf(place)[name])).find((one) => typeof one === 'string' && one !== '')
  return typeof value === 'string' ? { value, expiresAt: endIn([...holders, ...places], now) } : null
}

/** What the user's own program prints, run without a shell. */
const outputOf = async (deps: SecretCommandDeps, line: string): Promise<string> => {
  const [program = '', ...args] = [...line.matchAll(WORDS)].map(([, double, single, plain]) => double ?? single ?? plain ?? '')
  const passed = Object.entries(deps.environment).flatMap(([name, value]) => (value !== undefined && PASSED.test(name) ? [[name, value]] : []))
  const PATH = await pathOutOfReach(deps.environment['PATH'] ?? '', [deps.agentFolder])
  const env = { ...Object.fromEntries(passed), PATH }
  const file = await findExecutable(program, PATH.split(delimiter), '/')
  if (file === null) throw new HoldfastError('secret-unavailable', `There is no program ${program} to issue a secret.`)
  await requireOutOfReach(file, [deps.agentFolder])
  const { stdout } = await promisify(execFile)(file, args, { env, cwd: '/', timeout: TIMEOUT_MS, maxBuffer: MAX_OUTPUT_BYTES }).catch((error: { code?: unknown; killed?: boolean }) => {
    const why = error.killed === true ? `took longer than ${TIMEOUT_MS / 1_000} s` : `failed (${typeof error.code === 'number' ? `exit code ${error.code}` : String(error.code)})`
    throw new HoldfastError('secret-unavailable', `${program}, which is to issue a secret, ${why}. Run it in a terminal to see what it says.`)
  })
  return stdout.trim()
}

/**
 * Has commands issue secrets, each command once, however many parts of what it prints are asked for. Throws
 * HoldfastError `secret-unavailable` when it fails, takes too long or prints none, `agent-refused` when the program is
 * where an agent could have put it. What it prints is in no message.
 */
export const createIssuer = (deps: SecretCommandDeps): ((reference: string) => Promise<IssuedSecret>) => {
  const outputs = new Map<string, Promise<string>>()
  return async (reference) => {
    const [, field = null, line = ''] = REFERENCE.exec(reference) ?? []
    const output = outputs.get(line) ?? outputOf(deps, line)
    outputs.set(line, output)
    const now = deps.clock.now()
    const issued = readIssued(await output, field, now)
    const fault = (what: string): HoldfastError => new HoldfastError('secret-unavailable', `${programOf(reference)}, which is to issue a secret, ${what}.`)
    if (issued === null) throw fault(field === null ? 'printed no secret: a token alone, or JSON with a field "token"' : `printed no field ${field}`)
    if (issued.expiresAt !== null && issued.expiresAt <= now) throw fault('printed one that has expired already')
    return issued
  }
}
