import { auditAgentSettings } from './agent-rules.ts'
import { auditClaudeSettings, auditHooks } from './claude-rules.ts'
import { auditCredentials } from './credential-rules.ts'
import { at, type AuditedFile, type AuditFinding, fieldsOf, type FileKind, ITEM, lineAt, SEVERITIES, type Source, THREATS } from './finding.ts'
import { itemName } from './item-name.ts'
import type { Format } from './mend-text.ts'
import { auditServers, describeServers } from './mcp-rules.ts'
import { credentialsOf, type Reach } from './reach.ts'
import { type ParsedSource, readJson, readToml } from './sources.ts'
import { auditLines } from './text-rules.ts'

/** Where each kind keeps its servers. */
const SERVERS: Partial<Record<FileKind, readonly (readonly string[])[]>> = {
  'claude-settings': [['mcpServers']],
  'claude-state': [['mcpServers']],
  mcp: [['mcpServers'], ['servers']],
  'vscode-settings': [['mcp', 'servers']],
  codex: [['mcp_servers']],
  gemini: [['mcpServers']],
  opencode: [['mcp']],
  zed: [['context_servers']],
}
const JSON_KINDS: readonly FileKind[] = ['claude-settings', 'claude-state', 'mcp', 'vscode-settings', 'vscode-tasks', 'gemini', 'opencode', 'zed', 'cursor-cli', 'cursor-hooks', 'gcloud', 'azure', 'azure-profile', 'docker']
/** What only its owner should read: whole files of credentials. */
const PRIVATE_KINDS: readonly FileKind[] = ['git-credentials', 'gh', 'aws', 'gcloud', 'azure', 'kube', 'npmrc', 'docker', 'netrc', 'pypirc', 'ssh-key']

/** A login of the user's own: no fault of how agents are set up, and told apart. */
const LOGIN = 'personal-credential'

const serverPaths = (kind: FileKind, source: Source | null): readonly (readonly string[])[] => [
  ...(SERVERS[kind] ?? []),
  ...(kind === 'claude-state' ? Object.keys(fieldsOf(at(source?.value, 'projects'))).map((project) => ['projects', project, 'mcpServers']) : []),
]

/** Secrets that the scanner found where no rule found one already. */
const scanned = ({ text, kind, scope, secrets }: AuditedFile, found: readonly AuditFinding[]): AuditFinding[] => {
  const told = new Set(found.filter(({ threat }) => threat === 'identity spoofing' || threat === 'data leak').map(({ line }) => line))
  // A key with a passphrase looks like any other to the scanner.
  if (kind === 'ssh-key' || (PRIVATE_KINDS.includes(kind) && told.size > 0)) return []
  const isLogin = scope === 'user' && PRIVATE_KINDS.includes(kind)
  return [...new Map(secrets.map((secret) => [lineAt(text, secret.start), secret])).entries()].filter(([line]) => !told.has(line)).map(([line, { sort, start, end }]) => ({
    rule: isLogin ? LOGIN : 'plaintext-secret', severity: 'high', threat: 'identity spoofing', line,
    mend: isLogin ? null : { kind: 'edit', edits: [{ kind: 'span', start, end, text: ITEM }], keep: { item: itemName('found', sort), value: text.slice(start, end) } },
    what: `a credential in plain text (${sort})`, why: 'whatever reads this file, an agent among it, can act as its owner',
    fix: 'keep it in the keychain, with its name here instead: what reads it from here stops working until it gets it another way. Then make a new one where it was issued',
  }))
}

const openToOthers = ({ kind, mode, scope }: AuditedFile, found: readonly AuditFinding[]): AuditFinding[] => {
  const holdsSecret = found.some(({ rule }) => ['plaintext-secret', LOGIN, 'secret-in-environment'].includes(rule))
  if (scope === 'project' || mode === null || (mode & 0o077) === 0 || !(holdsSecret || (kind === 'ssh-key'))) return []
  return [{ rule: 'open-to-others', severity: 'high', threat: 'data leak', line: null, what: 'other users of this machine can read the credential here', why: 'so can any agent that runs as one of them', fix: 'chmod 600', mend: { kind: 'close' } }]
}

/** How a file of this kind is changed. */
export const formatOf = (kind: FileKind): Format => (JSON_KINDS.includes(kind) ? 'json' : kind === 'codex' ? 'toml' : 'text')

const parsed = ({ kind, text }: AuditedFile): ParsedSource | null => {
  if (JSON_KINDS.includes(kind)) return readJson(text)
  return kind === 'codex' ? readToml(text) : null
}

/** A finding, and the bytes it is about, which may hold a secret. */
export interface FoundInFile extends AuditFinding {
  readonly about: string
}

export interface FileAudit {
  readonly findings: readonly FoundInFile[]
  /** Logins of the user's own that lie here in plain text: what an agent that is not contained can use, and nobody set up for it. */
  readonly logins: readonly AuditFinding[]
  readonly reach: readonly Reach[]
  /** Why it cannot be told. */
  readonly problem: string | null
}

/** The place of a value and the value, so that the same under another name is another; a list may be sorted anew. */
const aboutOf = ({ text, mode }: AuditedFile, source: Source | null, { of, line }: AuditFinding): string => {
  const value = of === undefined ? undefined : of.reduce<unknown>((found, key) => (Array.isArray(found) ? (found as unknown[])[Number(key)] : fieldsOf(found)[String(key)]), source?.value)
  return value !== undefined ? JSON.stringify([of?.map((step) => (typeof step === 'number' ? '*' : step)), value]) : line === null ? String(mode) : (text.split('\n')[line - 1] ?? '')
}

/** What is wrong with one file, and what it lets agents reach. Never throws for what is in it. */
export const auditFile = (file: AuditedFile): FileAudit => {
  const read = parsed(file)
  if (read?.ok === false) return { findings: [], logins: [], reach: [], problem: read.problem }
  const source = read === null ? null : read.source
  const paths = serverPaths(file.kind, source)
  const found = source === null ? auditLines(file) : [
    ...(file.kind === 'claude-settings' ? auditClaudeSettings(source, file.scope) : []),
    ...(file.kind === 'cursor-hooks' || file.kind === 'gemini' ? auditHooks(source, file.scope) : []),
    ...auditAgentSettings(file.kind, source),
    ...paths.flatMap((path) => auditServers(source, path, file.home)),
  ]
  const reach: Reach[] = source === null ? [] : paths.flatMap((path) => describeServers(source, path, file.home)).map((server) => ({ kind: 'server', ...server }))
  let problem: string | null = null
  try {
    found.push(...auditCredentials(file, source))
    reach.push(...credentialsOf(file, source))
    found.push(...scanned(file, found))
    found.push(...openToOthers(file, found))
  } catch {
    problem = 'is broken'
  }
  const about = (finding: AuditFinding): FoundInFile => ({ ...finding, about: aboutOf(file, source, finding) })
  return { findings: found.filter(({ rule }) => rule !== LOGIN).map(about), logins: found.filter(({ rule }) => rule === LOGIN), reach, problem }
}

/** The worst first; among equals the order of the threats, then of the lines. */
export const compareFindings = (one: AuditFinding, other: AuditFinding): number =>
  SEVERITIES.indexOf(one.severity) - SEVERITIES.indexOf(other.severity) || THREATS.indexOf(one.threat) - THREATS.indexOf(other.threat) || (one.line ?? 0) - (other.line ?? 0)
