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

/** Whether a program's arguments carry a credential: `--token x`, `--token=x`, a token, an address with a password. */
export const hasSecretArgument = (args: readonly string[]): boolean =>
  args.some((word, index) => {
    const [, option = '', value = word] = /^--?([\w-]+)=(.*)$/s.exec(word) ?? []
    const before = args[index - 1] ?? ''
    return isSecretValue(value) || isPlainSecret(asName(option), value) || (before.startsWith('-') && !word.startsWith('-') && isPlainSecret(asName(before), word))
  })
