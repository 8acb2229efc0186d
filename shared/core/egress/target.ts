import type { NetworkTarget } from '../../domain/network-host.ts'

/** Longest name in DNS (RFC 1035). */
const MAX_NAME = 253
const LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/
/**
 * A host as it will be looked up, or null for what is none. Reads it as a browser does (WHATWG URL), so that every
 * spelling of an address (`0x7f.1`, `127.1`, full-width digits, a name in another script) is judged as what it means.
 */
export const normalizeHost = (text: string): string | null => {
  if (text.length > MAX_NAME + 1 || /[\s/?#@\\%]/.test(text)) return null
  try {
    const { hostname, host } = new URL(`http://${text}/`)
    const bare = hostname.replace(/\.$/, '')
    if (host !== hostname || bare === '') return null
    if (bare.startsWith('[')) return bare.slice(1, -1)
    return bare.split('.').every((label) => LABEL.test(label)) ? bare : null
  } catch {
    return null
  }
}

const portOf = (text: string): number | null => {
  const port = Number(text)
  return /^\d{1,5}$/.test(text) && port > 0 && port < 65_536 ? port : null
}

/** Reads `host:port`, as CONNECT takes it (RFC 9110 §9.3.6); null for anything else. */
export const parseAuthority = (text: string): NetworkTarget | null => {
  const match = /^(\[[^\]]+\]|[^:[\]]+):(\d{1,5})$/.exec(text)
  const host = match === null ? null : normalizeHost(match[1] ?? '')
  const port = portOf(match?.[2] ?? '')
  return host === null || port === null ? null : { host, port }
}
