import { parseDocument } from 'yaml'
import { visibleText } from '../visible-text.ts'
import { at, type AuditedFile, type AuditFinding, fieldsOf, type FileKind, lineAt, type Source, textOf } from './finding.ts'
import { itemName } from './item-name.ts'

const fault = (line: number | null, severity: AuditFinding['severity'], what: string, fix: string): AuditFinding => ({
  rule: 'personal-credential', severity, threat: 'identity spoofing', line, what, fix, mend: null,
  why: 'an agent that is not contained acts with it as you, and the record shows you',
})

const shown = (text: string): string => visibleText(text).slice(0, 100)

const matches = (text: string, pattern: RegExp): { line: number; found: RegExpExecArray }[] =>
  [...text.matchAll(pattern)].map((found) => ({ found, line: lineAt(text, found.index) }))

const isUnencrypted = (text: string): boolean => {
  if (/Proc-Type: 4,ENCRYPTED|BEGIN ENCRYPTED PRIVATE KEY/.test(text)) return false
  const body = /-----BEGIN OPENSSH PRIVATE KEY-----([\s\S]*?)-----END/.exec(text)?.[1]
  // The name of the cipher stands at the beginning (PROTOCOL.key of OpenSSH): "none" is 00 00 00 04 6e 6f 6e 65.
  return body === undefined ? /BEGIN (RSA |EC |DSA )?PRIVATE KEY/.test(text) : body.replaceAll(/\s/g, '').startsWith('b3BlbnNzaC1rZXktdjEAAAAABG5vbmU')
}

const kubeUsers = (text: string): AuditFinding[] => {
  const value = parseDocument(text, { merge: false }).toJS({ maxAliasCount: 0 }) as unknown
  const users = at(value, 'users')
  return (Array.isArray(users) ? users : []).flatMap((entry: unknown) => {
    const user = fieldsOf(at(entry, 'user'))
    const name = textOf(at(entry, 'name'))
    if (!['token', 'client-key-data', 'password'].some((key) => textOf(user[key]) !== '')) return []
    const line = lineAt(text, Math.max(0, text.search(/^[ \t]*-?[ \t]*(token|client-key-data|password):/m)))
    return [fault(line, /prod|admin/i.test(name) ? 'high' : 'medium', `a lasting credential of the Kubernetes user ${shown(name)}`, 'use one that expires (an exec plugin), and give agents a service account of their own')]
  })
}

type Rule = (text: string, source: Source | null) => AuditFinding[]

const RULES: Partial<Record<FileKind, Rule>> = {
  'git-credentials': (text) => matches(text, /^\w+:\/\/[^:@\s]+:[^@\s]+@(\S+)$/gm).map(({ line, found }) =>
    fault(line, 'high', `git's password for ${shown(found[1] ?? '')} in plain text`, 'git config --global credential.helper libsecret, sign in again, then delete this file')),
  'git-config': (text) => matches(text, /^[ \t]*helper\s*=\s*store\b/gm).map(({ line, found }) => ({ ...fault(line, 'medium', 'git keeps passwords in plain text', 'set the helper to cache, which forgets after 15 minutes, or to libsecret, which keeps them in the keyring'), rule: 'plaintext-store',
    mend: { kind: 'edit' as const, edits: [{ kind: 'span' as const, start: found.index, end: found.index + found[0].length, text: found[0].replace(/store$/, 'cache') }] } })),
  gh: (text) => matches(text, /^[ \t]*oauth_token:\s*\S+/gm).slice(0, 1).map(({ line }) => fault(line, 'high', 'GitHub\'s command line keeps your own token in plain text', 'gh auth logout && gh auth login, with a keyring there; give agents a fine-grained token of their own')),
  aws: (text) => matches(text, /^[ \t]*aws_access_key_id\s*=\s*(AKIA\w+)/gm).map(({ line }) => fault(line, 'high', 'a lasting AWS key in plain text', 'aws sso login instead; give agents a role with a session policy')),
  gcloud: (_text, source) => {
    const type = textOf(at(source?.value, 'type'))
    if (type === 'service_account') return [fault(source?.lineOf(['private_key']) ?? null, 'high', 'the key of a Google service account', 'use workload identity or impersonation, and delete the key')]
    return type === 'authorized_user' ? [fault(source?.lineOf(['refresh_token']) ?? null, 'medium', 'your own Google account, by a token that lasts', 'gcloud auth application-default revoke; impersonate a narrow service account for agents')] : []
  },
  azure: (_text, source) => Object.keys(fieldsOf(at(source?.value, 'RefreshToken'))).length === 0 ? [] : [fault(source?.lineOf(['RefreshToken']) ?? null, 'medium', 'your own Azure account, by a token that lasts', 'az logout when you do not need it; give agents a service principal of their own')],
  kube: kubeUsers,
  npmrc: (text) => matches(text, /^[ \t]*(\S{0,300}:)?_(authToken|password|auth)\s*=\s*(?!\$\{)\S{8,}/gm).map(({ line }) => fault(line, 'high', 'your npm token in plain text: it can publish as you', 'npm token revoke it; write ${NPM_TOKEN} here, and set that only where you publish')),
  docker: (_text, source) => Object.entries(fieldsOf(at(source?.value, 'auths'))).filter(([, entry]) => textOf(fieldsOf(entry)['auth']) !== '').map(([registry]) =>
    fault(source?.lineOf(['auths', registry]) ?? null, 'medium', `docker's password for ${shown(registry)}, readable as it stands`, 'set credsStore to your keyring\'s helper, and docker login again')),
  netrc: (text) => matches(text, /\bmachine\s{1,20}(\S{1,300})[\s\S]{0,300}?\bpassword\s{1,20}\S/g).map(({ line, found }) => fault(line, 'high', `a password for ${shown(found[1] ?? '')} in plain text`, 'use the program\'s own keyring, and delete the entry')),
  pypirc: (text) => matches(text, /^[ \t]*password\s*[:=]\s*\S+/gm).map(({ line }) => fault(line, 'high', 'your PyPI token in plain text: it can publish as you', 'keyring set, or trusted publishing; delete the line')),
  'ssh-key': (text) => (isUnencrypted(text) ? [fault(1, 'medium', 'an SSH key without a passphrase', 'ssh-keygen -p -f on this file')] : []),
}

/** A token in a project's own `.npmrc`: whoever clones it has it, and an agent in it reads it. */
const ofProject = (text: string): AuditFinding[] =>
  matches(text, /^([ \t]*(?:\S{0,300}:)?_(authToken|password|auth)\s*=\s*)(?!\$\{)(\S{8,})/gm).map(({ line, found: [whole, before = '', setting = '', value = ''], found: { index } }) => ({
    rule: 'plaintext-secret', severity: 'high', threat: 'identity spoofing', line, what: 'a token for a package registry lies in the project', why: 'an agent reads the project, and can publish with it',
    fix: 'keep it in the keychain, write ${NPM_TOKEN} here, and set that only where you install or publish',
    mend: { kind: 'edit', edits: [{ kind: 'span', start: index, end: index + whole.length, text: `${before}\${NPM_TOKEN}` }], keep: { item: itemName('npm', setting), value } },
  }))

/** Credentials in a file that keeps them: the user's own logins, and what is wrong with how they are kept. `source` is the file as JSON, where it is. */
export const auditCredentials = ({ kind, scope, text }: AuditedFile, source: Source | null): AuditFinding[] =>
  kind === 'npmrc' && scope === 'project' ? ofProject(text) : (RULES[kind]?.(text, source) ?? [])
