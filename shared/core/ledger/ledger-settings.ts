import { parse } from 'yaml'
import { HoldfastError } from '../../contract/errors.ts'
import { LedgerSettings } from '../../contract/schemas/ledger-settings.ts'
import { isPlainSecret } from '../../domain/secret-names.ts'

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/

/** Encrypted, or not beyond this machine; and with nothing secret in it, as addresses are shown. */
const isPrivateUrl = (text: string): boolean => {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') return false
  return url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.test(url.hostname))
}

/** Syslog has no encryption here: it stays on this machine. */
const isLocalSyslog = (text: string): boolean => {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url?.protocol === 'unix:') return url.host === '' && url.pathname.length > 1
  return url !== null && /^(udp|tcp):$/.test(url.protocol) && LOOPBACK.test(url.hostname) && url.username === '' && url.password === ''
}

const refuse = (file: string, why: string): HoldfastError =>
  new HoldfastError('profile-invalid', `${file} ${why}. Until it is mended the audit log is sent nowhere, and kept as ever.`)

/** Reads the text of `ledger.yaml`. Throws HoldfastError `profile-invalid`, which repeats no value of it. */
export const parseLedgerSettings = (file: string, text: string): LedgerSettings => {
  let written: unknown
  try {
    written = parse(text) ?? {}
  } catch {
    throw refuse(file, 'is not YAML')
  }
  const { success, data, error } = LedgerSettings.safeParse(written)
  if (!success) {
    const [issue] = error.issues
    throw refuse(file, `cannot be used: ${issue?.path.join('.') || 'it'}: ${issue?.code === 'unrecognized_keys' ? 'has a setting that does not exist' : (issue?.message ?? 'is not valid')}`)
  }
  if (data.otlp !== undefined && !isPrivateUrl(data.otlp.endpoint)) throw refuse(file, 'cannot be used: otlp.endpoint: must be https://…, or http:// to this machine itself, with no user, password, ? or # in it')
  if (data.syslog !== undefined && !isLocalSyslog(data.syslog.to)) throw refuse(file, 'cannot be used: syslog.to: must be unix:///path, or udp:// or tcp:// to this machine itself, where a collector can encrypt what it hands on')
  const plain = Object.entries(data.otlp?.headers ?? {}).find(([name, value]) => !name.endsWith('_SECRET') && isPlainSecret(name.replaceAll('-', '_'), value))
  if (plain !== undefined) throw refuse(file, `holds a secret in the header ${plain[0]}. Keep it with "holdfast secret set team/otel", and write ${plain[0]}_SECRET: team/otel`)
  return data
}
