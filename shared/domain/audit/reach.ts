import { parseDocument } from 'yaml'
import { visibleText } from '../visible-text.ts'
import { at, type AuditedFile, fieldsOf, type FileKind, lineAt, type Source, textOf } from './finding.ts'

/** Something that an agent on this machine has within its reach, as one file says it. Never holds a secret. */
export interface Reach {
  readonly kind: 'server' | 'credential'
  readonly name: string
  /** Whose it is, how far it goes, how it is kept. */
  readonly detail: string
  readonly line: number | null
}

const shown = (text: string): string => visibleText(text).slice(0, 100)
const PLAIN = 'in plain text'

const credential = (name: string, words: readonly string[], line: number | null = null): Reach => ({ kind: 'credential', name, detail: words.filter((word) => word !== '').join(', '), line })

const yamlOf = (text: string): unknown => parseDocument(text, { merge: false }).toJS({ maxAliasCount: 0 }) as unknown
const lineOfMatch = (text: string, pattern: RegExp): number | null => {
  const offset = text.search(pattern)
  return offset < 0 ? null : lineAt(text, offset)
}

/** Sections of an ini file: name, and what stands in it. */
const sections = (text: string): { name: string; body: string; line: number }[] =>
  [...text.matchAll(/^\[([^\]\n]{1,200})\]((?:.*\n(?!\[))*.*)/gm)].map((found) => ({ name: found[1] ?? '', body: found[2] ?? '', line: lineAt(text, found.index) }))

const github = (text: string): Reach[] =>
  Object.entries(fieldsOf(yamlOf(text))).filter(([, value]) => typeof value === 'object' && !Array.isArray(value)).map(([host, value]) => {
    const fields = fieldsOf(value)
    const users = [textOf(fields['user']), ...Object.keys(fieldsOf(fields['users']))].filter((user) => user !== '')
    return credential('GitHub', [`as ${shown([...new Set(users)].join(' and ')) || 'you'} on ${shown(host)}`, textOf(fields['oauth_token']) === '' ? 'in the keyring' : PLAIN], lineOfMatch(text, /^\s*oauth_token:/m))
  })

const aws = (text: string): Reach[] =>
  sections(text).map(({ name, body, line }) => credential('AWS', [`profile ${shown(name)}`, /aws_session_token/.test(body) ? 'for a while' : /credential_process/.test(body) ? 'by a command' : 'lasting', /aws_secret_access_key/.test(body) ? PLAIN : ''], line))

const kube = (text: string): Reach[] => {
  const value = yamlOf(text)
  const current = textOf(at(value, 'current-context'))
  const contexts = at(value, 'contexts')
  return (Array.isArray(contexts) ? contexts : []).slice(0, 50).map((context: unknown) =>
    credential('Kubernetes', [`${shown(textOf(at(context, 'context', 'user'))) || 'you'} in ${shown(textOf(at(context, 'name')))}`, textOf(at(context, 'name')) === current ? 'the current context' : '']))
}

const registries = (source: Source | null): Reach[] => {
  const stores = [textOf(at(source?.value, 'credsStore')), ...Object.keys(fieldsOf(at(source?.value, 'credHelpers')))].filter((store) => store !== '')
  return Object.entries(fieldsOf(at(source?.value, 'auths'))).map(([registry, entry]) =>
    credential('Docker', [shown(registry), textOf(fieldsOf(entry)['auth']) !== '' ? PLAIN : stores.length > 0 ? 'in the keyring' : ''], source?.lineOf(['auths', registry]) ?? null))
}

const gitUser = (text: string): Reach[] => {
  const user = sections(text).find(({ name }) => name === 'user')
  const email = /^\s*email\s*=\s*(\S+)/m.exec(user?.body ?? '')?.[1]
  return user === undefined || email === undefined ? [] : [credential('git', [`commits as ${shown(email)}`], user.line)]
}

type Reader = (text: string, source: Source | null) => Reach[]

const each = (text: string, pattern: RegExp, tell: (found: RegExpMatchArray) => readonly [name: string, ...words: string[]]): Reach[] =>
  [...text.matchAll(pattern)].slice(0, 50).map((found) => {
    const [name, ...words] = tell(found)
    return credential(name, words, lineAt(text, found.index))
  })

const READERS: Partial<Record<FileKind, Reader>> = {
  gh: github,
  aws,
  'aws-config': (text) => sections(text).filter(({ body }) => /sso_|credential_process|role_arn/.test(body)).map(({ name, body, line }) =>
    credential('AWS', [shown(name), /sso_/.test(body) ? 'by sso' : /credential_process/.test(body) ? 'by a command' : '', shown(/^\s*role_arn\s*=\s*(\S+)/m.exec(body)?.[1] ?? '')], line)),
  'gcloud-config': (text) => each(text, /^\s*account\s*=\s*(\S+)/gm, ([, account]) => ['Google Cloud', `as ${shown(account ?? '')}`, shown(/^\s*project\s*=\s*(\S+)/m.exec(text)?.[1] ?? '')]),
  'azure-profile': (_text, source) => {
    const subscriptions = at(source?.value, 'subscriptions')
    const list: unknown[] = Array.isArray(subscriptions) ? subscriptions : []
    return [...new Set(list.map((each) => textOf(at(each, 'user', 'name'))).filter((name) => name !== ''))].map((name) =>
      credential('Azure', [`as ${shown(name)}`, list.filter((each) => textOf(at(each, 'user', 'name')) === name).map((each) => shown(textOf(at(each, 'name')))).slice(0, 10).join(' and ')]))
  },
  kube,
  docker: (_text, source) => registries(source),
  'git-config': gitUser,
  'git-credentials': (text) => each(text, /^\w+:\/\/([^:@\s]+):[^@\s]+@(\S+)$/gm, ([, user, host]) => ['git', `as ${shown(user ?? '')} on ${shown(host ?? '')}`, PLAIN]),
  gcloud: (_text, source) => {
    const account = textOf(at(source?.value, 'client_email'))
    return textOf(at(source?.value, 'type')) === '' ? [] : [credential('Google Cloud', [account === '' ? 'as you' : `as ${shown(account)}`, PLAIN])]
  },
  azure: (_text, source) => Object.values(fieldsOf(at(source?.value, 'Account'))).map((account) => credential('Azure', [`as ${shown(textOf(at(account, 'username'))) || 'you'}`, PLAIN])),
  npmrc: (text) => each(text, /^[ \t]*(?:\/\/([^\s:=]{1,300}?)\/?:)?_(?:authToken|password|auth)\s*=\s*(\S)/gm, ([, registry, first]) => ['npm', registry === undefined ? 'every registry' : shown(registry), first === '$' ? 'from the environment' : PLAIN]),
  netrc: (text) => each(text, /\bmachine\s{1,20}(\S{1,300})/g, ([, machine]) => ['netrc', shown(machine ?? ''), PLAIN]),
  pypirc: (text) => each(text, /^[ \t]*password\s*[:=]\s*\S/gm, () => ['PyPI', PLAIN]),
  'ssh-key': (text) => (/PRIVATE KEY-----/.test(text) ? [credential('SSH', ['a key of yours'])] : []),
}

/** The credentials in a file, by owner and scope where the file says them. `source` is the file as JSON, where it is. */
export const credentialsOf = ({ kind, text }: AuditedFile, source: Source | null): Reach[] => READERS[kind]?.(text, source) ?? []
