import { tokenSpans } from './token-shapes.ts'

const SECRET_NAME = /(token|secret|passw(or)?d|passphrase|api_?key|access_?key|private_?key|credentials?|_pat|_key|_pwd|authorization|auth_?key)$/i
const PLACEHOLDER = /^(\$|<|\{\{|%|your[-_ ]|xxx|\*{3}|change.?me|replace|example|todo|test$|dummy|none$|null$|true$|false$|\/|~\/|\.\/)|\$\{/i
const URL_PASSWORD = /^[a-z][a-z0-9+.-]*:\/\/[^\s/:@]*:([^\s/@]{3,})@/i

/** Whether a setting of this name holds a credential, by the name alone. */
export const isSecretName = (name: string): boolean => SECRET_NAME.test(name) && !/_(file|path|name|id)$/i.test(name)

/** Whether a value is a credential by itself: a token of a known shape, or an address with a password in it. */
export const isSecretValue = (value: string): boolean => {
  const password = URL_PASSWORD.exec(value)?.[1]
  return (password !== undefined && !PLACEHOLDER.test(password)) || tokenSpans(value).length > 0
}

/** Whether a setting holds a credential in plain text. A reference, a path and a placeholder are none. */
export const isPlainSecret = (name: string, value: string): boolean =>
  isSecretValue(value) || (isSecretName(name) && value.length >= 6 && !PLACEHOLDER.test(value))

/** `NAME_SECRET: agent/item`, or `exec: command`, `oauth: agent/item`: how a server's settings name a keychain item, or what issues a secret. */
export const isSecretReference = (name: string, value: string): boolean =>
  name.endsWith('_SECRET') && /^((oauth:\s*)?[\w.@-]{1,64}(\/[\w.@-]{1,64}){1,4}$|exec(\[[\w.-]{1,200}\])?:\s*\S)/.test(value) && !isSecretValue(value)

const asName = (option: string): string => option.replace(/^-+/, '').replaceAll('-', '_')

/** The credential among a program's arguments: `--token x`, `--token=x`, a token, an address with a password. */
export const secretArgument = (args: readonly string[]): { readonly name: string; readonly value: string; readonly places: readonly number[] } | null => {
  for (const [place, word] of args.entries()) {
    const [, option = '', value = word] = /^--?([\w-]+)=(.*)$/s.exec(word) ?? []
    const before = args[place - 1] ?? ''
    const isNamed = before.startsWith('-') && !before.includes('=') && !word.startsWith('-')
    if (isNamed && isPlainSecret(asName(before), word)) return { name: asName(before), value: word, places: isSecretName(asName(before)) ? [place - 1, place] : [place] }
    if (isSecretValue(value) || isPlainSecret(asName(option), value)) return { name: asName(option) || 'argument', value, places: [place] }
  }
  return null
}

/** Whether a program's arguments carry a credential. */
export const hasSecretArgument = (args: readonly string[]): boolean => secretArgument(args) !== null

const SECRET_PARAMETER = /([?&])(api_?key|token|key|secret)=(?!\$)([^&#]{8,})&?/i

/** The credential in an address, and the address without it. */
export const secretInAddress = (url: string): { readonly name: string; readonly value: string; readonly rest: string } | null => {
  const [whole = '', separator = '', name = '', value = ''] = SECRET_PARAMETER.exec(url) ?? []
  if (value !== '') return { name, value, rest: url.replace(whole, whole.endsWith('&') ? separator : '') }
  if (!isSecretValue(url)) return null
  const [user = ''] = /(?<=:\/\/)[^/?#]*@/.exec(url) ?? []
  const bare = url.replace(user, '')
  if (user !== '' && !isSecretValue(bare)) return { name: 'password', value: user.slice(0, -1), rest: bare }
  // A token in its path: all behind the host.
  const host = /^[\w+.-]+:\/\/[^/?#]+/.exec(bare)?.[0] ?? ''
  return { name: 'address', value: url, rest: host }
}
