/** The six ways in which it goes wrong. */
export const THREATS = ['identity spoofing', 'privilege escalation', 'data leak', 'supply chain', 'prompt injection', 'destructive actions'] as const
export type Threat = (typeof THREATS)[number]

export const SEVERITIES = ['high', 'medium', 'low'] as const
export type Severity = (typeof SEVERITIES)[number]

export type JsonPath = readonly (string | number)[]

/** A change that mends a fault: something taken out of a JSON file, or a file closed to others. */
export type Mend = { readonly kind: 'remove'; readonly path: JsonPath } | { readonly kind: 'close' }

export interface AuditFinding {
  /** Which rule it was, for programs. */
  readonly rule: string
  readonly severity: Severity
  readonly threat: Threat
  readonly line: number | null
  /** What is there. Never holds a secret. */
  readonly what: string
  readonly why: string
  /** What to do, exactly. */
  readonly fix: string
  /** How --fix does it; null where only a person can. */
  readonly mend: Mend | null
}

/** How a file is read: which rules look at it. */
export type FileKind =
  | 'claude-settings' | 'claude-state' | 'mcp' | 'vscode-settings' | 'vscode-tasks' | 'codex' | 'gemini' | 'opencode' | 'zed' | 'cursor-cli'
  | 'shell' | 'dotenv' | 'instructions' | 'command'
  | 'git-credentials' | 'git-config' | 'gh' | 'aws' | 'gcloud' | 'azure' | 'kube' | 'npmrc' | 'docker' | 'netrc' | 'pypirc' | 'ssh-key'

/** Where the scanner found a secret, and what sort it is. */
export interface SecretSpan {
  readonly start: number
  readonly end: number
  readonly sort: string
}

export interface AuditedFile {
  readonly kind: FileKind
  /** A project's file comes with a clone: somebody else may have written it. */
  readonly scope: 'user' | 'project'
  readonly text: string
  /** Its permissions; null where the platform has none. */
  readonly mode: number | null
  readonly home: string
  readonly secrets: readonly SecretSpan[]
}

/** A parsed file, and the line on which a setting stands. */
export interface Source {
  readonly value: unknown
  readonly lineOf: (path: JsonPath) => number | null
}

export type Fields = Readonly<Record<string, unknown>>

/** A parsed object's own fields: a key `__proto__` in a file lends it none. */
export const fieldsOf = (value: unknown): Fields =>
  Object.assign(Object.create(null), typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {}) as Fields
export const textsOf = (value: unknown): string[] => (Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [])
export const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')

/** What lies at a path of a parsed file; undefined where nothing does. */
export const at = (value: unknown, ...path: readonly string[]): unknown => path.reduce<unknown>((found, key) => fieldsOf(found)[key], value)

export const lineAt = (text: string, offset: number): number => text.slice(0, offset).split('\n').length
