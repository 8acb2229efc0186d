import { auditAgentSettings } from './agent-rules.ts'
import { auditClaudeSettings } from './claude-rules.ts'
import { auditCredentials } from './credential-rules.ts'
import { at, type AuditedFile, type AuditFinding, fieldsOf, type FileKind, lineAt, SEVERITIES, type Source, THREATS } from './finding.ts'
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
const JSON_KINDS: readonly FileKind[] = ['claude-settings', 'claude-state', 'mcp', 'vscode-settings', 'vscode-tasks', 'gemini', 'opencode', 'zed', 'cursor-cli', 'gcloud', 'azure', 'docker']
/** What only its owner should read: whole files of credentials. */
const PRIVATE_KINDS: readonly FileKind[] = ['git-credentials', 'gh', 'aws', 'gcloud', 'azure', 'kube', 'npmrc', 'docker', 'netrc', 'pypirc', 'ssh-key']

const serverPaths = (kind: FileKind, source: Source): readonly (readonly string[])[] => [
  ...(SERVERS[kind] ?? []),
  ...(kind === 'claude-state' ? Object.keys(fieldsOf(at(source.value, 'projects'))).map((project) => ['projects', project, 'mcpServers']) : []),
]

/** Secrets that the scanner found where no rule found one already. */
const scanned = ({ text, kind, secrets }: AuditedFile, found: readonly AuditFinding[]): AuditFinding[] => {
  const told = new Set(found.filter(({ threat }) => threat === 'identity spoofing' || threat === 'data leak').map(({ line }) => line))
  // A key with a passphrase looks like any other to the scanner.
  if (kind === 'ssh-key' || (PRIVATE_KINDS.includes(kind) && told.size > 0)) return []
  return [...new Map(secrets.map((secret) => [lineAt(text, secret.start), secret])).entries()].filter(([line]) => !told.has(line)).map(([line, { sort }]) => ({
    rule: 'plaintext-secret', severity: 'high', threat: 'identity spoofing', line, mend: null,
    what: `a credential in plain text (${sort})`, why: 'whatever reads this file, an agent among it, can act as its owner', fix: 'make a new one where it was issued, and keep it with "holdfast secret set agent/NAME"',
  }))
}

const openToOthers = ({ kind, mode, scope }: AuditedFile, found: readonly AuditFinding[]): AuditFinding[] => {
  const holdsSecret = found.some(({ rule }) => ['plaintext-secret', 'personal-credential', 'secret-in-environment'].includes(rule))
  if (scope === 'project' || mode === null || (mode & 0o077) === 0 || !(holdsSecret || (kind === 'ssh-key'))) return []
  return [{ rule: 'open-to-others', severity: 'high', threat: 'data leak', line: null, what: 'other users of this machine can read the credential here', why: 'so can any agent that runs as one of them', fix: 'chmod 600', mend: { kind: 'close' } }]
}

const parsed = ({ kind, text }: AuditedFile): ParsedSource | null => {
  if (JSON_KINDS.includes(kind)) return readJson(text)
  return kind === 'codex' ? readToml(text) : null
}

export interface FileAudit {
  readonly findings: readonly AuditFinding[]
  readonly reach: readonly Reach[]
  /** Why it cannot be told. */
  readonly problem: string | null
}

/** What is wrong with one file, and what it lets agents reach. Never throws for what is in it. */
export const auditFile = (file: AuditedFile): FileAudit => {
  const source = parsed(file)
  if (source?.ok === false) return { findings: [], reach: [], problem: source.problem }
  const found = source === null ? auditLines(file) : [
    ...(file.kind === 'claude-settings' ? auditClaudeSettings(source.source, file.scope) : []),
    ...auditAgentSettings(file.kind, source.source),
    ...serverPaths(file.kind, source.source).flatMap((path) => auditServers(source.source, path, file.home)),
  ]
  const reach: Reach[] = source === null ? [] : serverPaths(file.kind, source.source).flatMap((path) => describeServers(source.source, path, file.home)).map((server) => ({ kind: 'server', ...server }))
  try {
    found.push(...auditCredentials(file, source?.source ?? null))
    reach.push(...credentialsOf(file, source?.source ?? null))
  } catch {
    return { findings: found, reach, problem: 'is broken' }
  }
  found.push(...scanned(file, found))
  found.push(...openToOthers(file, found))
  return { findings: found, reach, problem: null }
}

/** The worst first; among equals the order of the threats, then of the lines. */
export const compareFindings = (one: AuditFinding, other: AuditFinding): number =>
  SEVERITIES.indexOf(one.severity) - SEVERITIES.indexOf(other.severity) || THREATS.indexOf(one.threat) - THREATS.indexOf(other.threat) || (one.line ?? 0) - (other.line ?? 0)
