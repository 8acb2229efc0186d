/** The six ways in which it goes wrong. */
export const THREATS = ['identity spoofing', 'privilege escalation', 'data leak', 'supply chain', 'prompt injection', 'destructive actions'] as const
export type Threat = (typeof THREATS)[number]

export const SEVERITIES = ['high', 'medium', 'low'] as const
export type Severity = (typeof SEVERITIES)[number]

export type JsonPath = readonly (string | number)[]

/** One change of a file's text. Paths are of JSON and TOML; a span is of any text, in characters. */
export type Edit =
  | { readonly kind: 'remove'; readonly path: JsonPath }
  | { readonly kind: 'set'; readonly path: JsonPath; readonly value: string | boolean }
  /** A setting under another name, with another value. */
  | { readonly kind: 'rename'; readonly path: JsonPath; readonly to: string; readonly value: string }
  | { readonly kind: 'span'; readonly start: number; readonly end: number; readonly text: string }

/** Where an edit is to name the keychain item that takes what stood there: its name is settled when the fix is planned. */
export const ITEM = '{item}'

/** What fetches a package, and so knows its versions. */
export type Registry = 'npm' | 'pypi' | 'docker'

/**
 * How a fault is mended: by edits, after the secret among what goes is kept in the keychain; by the exact version that is
 * fetched today; or by closing the file to others. May hold a secret: it never leaves the process.
 */
export type Mend =
  | { readonly kind: 'edit'; readonly edits: readonly Edit[]; readonly keep?: { readonly item: string; readonly value: string } }
  | { readonly kind: 'pin'; readonly path: JsonPath; readonly word: string; readonly registry: Registry }
  | { readonly kind: 'close' }

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
  /** What an acceptance is bound to, where that is more than its line: the value there. */
  readonly of?: JsonPath
}

/** How a file is read: which rules look at it. */
export type FileKind =
  | 'claude-settings' | 'claude-state' | 'mcp' | 'vscode-settings' | 'vscode-tasks' | 'codex' | 'gemini' | 'opencode' | 'zed' | 'cursor-cli' | 'cursor-hooks'
  | 'shell' | 'dotenv' | 'instructions' | 'command'
  | 'git-credentials' | 'git-config' | 'gh' | 'aws' | 'aws-config' | 'gcloud' | 'gcloud-config' | 'azure' | 'azure-profile' | 'kube' | 'npmrc' | 'docker' | 'netrc' | 'pypirc' | 'ssh-key'

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

export const remove = (path: JsonPath): Mend => ({ kind: 'edit', edits: [{ kind: 'remove', path }] })
export const set = (path: JsonPath, value: string | boolean): Mend => ({ kind: 'edit', edits: [{ kind: 'set', path, value }] })

export const lineAt = (text: string, offset: number): number => text.slice(0, offset).split('\n').length
