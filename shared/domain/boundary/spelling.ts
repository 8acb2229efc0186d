const MAX_DECODINGS = 4

/** The words of a tool's or an argument's name, in small letters; null when it has characters that could imitate others. */
export const nameWords = (name: string): string[] | null => {
  if (!/^[\x20-\x7e]{1,256}$/.test(name)) return null
  const words = name.replace(/([a-z0-9])([A-Z])/g, '$1 $2').replace(/([A-Z]+)([A-Z][a-z])/g, '$1 $2')
  return words.toLowerCase().split(/[^a-z0-9]+/).filter((word) => word !== '')
}

/** The text as a server may come to read it: percent-encoding undone, also when done twice, and compatibility forms made plain. */
export const spellOut = (text: string): string => {
  let plain = text.normalize('NFKC')
  for (let i = 0; i < MAX_DECODINGS && plain.includes('%'); i += 1) {
    plain = plain.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  }
  return plain
}

export interface Address {
  readonly protocol: string
  readonly user: string
  /** Small letters, without a trailing dot. */
  readonly host: string
  readonly path: string
}

const ADDRESS = /^([a-z][a-z0-9+.-]*):\/\/(?:([^@/?#\\]*)@)?([a-z0-9.-]+)(\/[^?#\\\s]*)?(?:[?#][^\\\s]*)?$/

/** A web or git address in its plain form. Null for any other, such as one with a port: programs read those differently. */
export const readAddress = (text: string): Address | null => {
  const match = ADDRESS.exec(text.replace(/^[^/]*\/\/[^/?#]*/, (start) => start.toLowerCase()))
  if (match === null) return null
  const [, protocol = '', user = '', host = '', path = '/'] = match
  return { protocol, user, host: host.replace(/\.$/, ''), path }
}
