import type { Touch } from '../../contract/schemas/foresight.ts'
import { commandBehind } from '../classify/commands.ts'
import { programOf } from '../classify/call.ts'
import { readShell } from '../classify/classify-shell.ts'
import type { SimpleCommand } from '../classify/shell-state.ts'
import { shown } from '../classify/finding.ts'
import { readArguments, valuesOfOption } from '../classify/family.ts'
import { isKnown } from '../classify/unknown.ts'
import { pathMeant } from './operands.ts'

export interface TouchQuestion {
  readonly tool: string
  readonly input: unknown
  /** The folder that relative paths start from, absolute. */
  readonly folder: string
  readonly home?: string | undefined
}

export interface Touched {
  readonly touches: readonly Touch[]
  readonly more: number
  readonly production: boolean
}

const MAX_TOUCHES = 200
const PRODUCTION = /(^|[^a-z])(prod|production|prd|live)($|[^a-z])/i
const NO_VALUES: ReadonlySet<string> = new Set()

const ON_PATHS = new Set(
  ('rm rmdir unlink shred srm trash rimraf mv cp ln install touch mkdir truncate tee chmod chown chgrp chattr setfacl rsync tar zip unzip sed patch '
    + 'mkfs mount umount wipefs sponge dd').split(' '),
)
const GIT_REFS = new Set('push branch tag update-ref checkout switch reset rebase merge fetch pull cherry-pick revert'.split(' '))
const ON_RESOURCES = new Set(
  ('kubectl oc helm terraform tofu pulumi docker podman aws gcloud az gsutil doctl heroku vercel netlify flyctl fly wrangler gh glab npm yarn pnpm pip '
    + 'cargo gem twine apt apt-get dnf yum brew systemctl service firebase supabase vault consul nomad ansible-playbook cdk sam eksctl').split(' '),
)
const DATABASE_CLIENTS = new Set('psql mysql mariadb sqlite3 sqlcmd mongosh mongo redis-cli cqlsh clickhouse-client duckdb bq'.split(' '))
const HOST_OPTIONS = ['-h', '--host', '--hostname', '--server', '--context', '--cluster', '--kube-context', '--namespace', '-n', '--profile', '--project', '--region', '-d', '--dbname', '--database']
/** What names a place in an MCP tool's arguments. */
const FIELDS: readonly { readonly names: RegExp; readonly kind: Touch['kind'] }[] = [
  { names: /^(file_?path|notebook_?path|path|file|filename|directory|dir|folder)$/i, kind: 'path' },
  { names: /^(host|hostname|url|uri|endpoint|server)$/i, kind: 'host' },
  { names: /^(branch|ref|tag|sha|base|head)$/i, kind: 'ref' },
  { names: /^(table|database|db|schema|collection|index)$/i, kind: 'table' },
  { names: /^(owner|repo|repository|project|bucket|namespace|cluster|environment|env|name|id|key|resource|user|channel|account)$/i, kind: 'resource' },
]

/** Tables and databases that statements name. Linear: each word is looked at once. */
const TABLES = /\b(?:drop|truncate|alter|create)\s+(?:table|database|schema|index|view|user|role)?\s*(?:if\s+(?:not\s+)?exists\s+)?([\w."`[\]]{1,200})|\b(?:delete\s+from|insert\s+into|update|replace\s+into|merge\s+into)\s+(?:only\s+)?([\w."`[\]]{1,200})/gi

const tablesIn = (sql: string): string[] => [...sql.slice(0, 100_000).matchAll(TABLES)].map(([, one, other]) => (one ?? other ?? '').replaceAll(/["`[\]]/g, ''))

const URLS = /\b(?:https?|ssh|git|ftp|postgres(?:ql)?|mysql|mongodb(?:\+srv)?|redis|amqp|s3|gs):\/\/(?:[^\s/@'"]{1,200}@)?([\w.-]{1,200}(?::\d{1,5})?)/gi
const hostsIn = (text: string): string[] => [...text.slice(0, 10_000).matchAll(URLS)].map(([, host = '']) => host)

const touchesOfCommand = ({ argv: written, folder }: SimpleCommand, home: string | undefined): Touch[] => {
  const argv = commandBehind(written)
  const program = programOf(argv[0] ?? '') ?? ''
  const args = argv.slice(1)
  const { words } = readArguments(args, NO_VALUES)
  const found: Touch[] = args.flatMap(hostsIn).map((name) => ({ kind: 'host', name }))
  const add = (kind: Touch['kind'], names: readonly string[]): void => void found.push(...names.filter((name) => name !== '').map((name) => ({ kind, name })))
  if (ON_PATHS.has(program)) {
    const operands = program === 'dd' ? args.flatMap((argument) => /^of=(.+)/s.exec(argument)?.[1] ?? []) : /^(chmod|chown|chgrp|sed|chattr)$/.test(program) ? words.slice(1) : words
    add('path', operands.map((operand) => {
      const meant = pathMeant(operand, folder, home)
      return meant === null ? operand : meant.pattern === null ? meant.path : `${meant.path}/${meant.pattern}`
    }))
  }
  if (/^(ssh|scp|sftp|rsync|telnet|nc|ncat)$/.test(program)) add('host', words.slice(0, program === 'scp' || program === 'rsync' ? 8 : 1).flatMap((word) => /^(?:[\w.-]+@)?([\w.-]+)(?::|$)/.exec(word)?.[1] ?? []).filter((host) => program === 'ssh' || /[.:@]/.test(host)))
  if (program === 'git') {
    const [sub = '', ...rest] = words
    if (GIT_REFS.has(sub)) add('ref', sub === 'push' && rest.length < 2 ? [`${rest[0] ?? 'the default remote'}, the current branch's counterpart`] : rest)
  }
  if (ON_RESOURCES.has(program)) add('resource', [[program, ...words.slice(0, 6)].join(' ')])
  if (DATABASE_CLIENTS.has(program)) {
    add('table', args.flatMap(tablesIn))
    add('resource', words.slice(0, 1))
  }
  if (ON_RESOURCES.has(program) || DATABASE_CLIENTS.has(program)) add('host', HOST_OPTIONS.flatMap((option) => valuesOfOption(args, option).map((value) => `${option} ${value}`)))
  return found
}

const touchesOfFields = (input: unknown): Touch[] =>
  Object.entries(typeof input === 'object' && input !== null ? input : {}).flatMap(([name, value]): Touch[] => {
    if (typeof value === 'string' && /^(sql|query|statement)s?$/i.test(name)) return tablesIn(value).map((table) => ({ kind: 'table', name: table }))
    const kind = FIELDS.find(({ names }) => names.test(name))?.kind
    return kind === undefined || (typeof value !== 'string' && typeof value !== 'number') ? [] : [{ kind, name: String(value) }]
  })

/** Whether any text in a call, however deep, names production. */
const namesProduction = (input: unknown, depth = 0): boolean => {
  if (typeof input === 'string') return PRODUCTION.test(input.slice(0, 100_000))
  if (typeof input !== 'object' || input === null || depth > 8) return false
  return Object.values(input).some((value) => namesProduction(value, depth + 1))
}

/** What a call would touch, as far as its arguments say. Never throws; what only the shell will know is left out. */
export const touchesOf = ({ tool, input, folder, home }: TouchQuestion): Touched => {
  const command = (input as { command?: unknown } | null)?.command
  const { host, port } = (input ?? {}) as { host?: unknown; port?: unknown }
  const all: Touch[] =
    tool === 'Bash' && typeof command === 'string'
      ? readShell(command, { cwd: folder, home }).commands.flatMap((one) => touchesOfCommand(one, home))
      : tool === 'Network'
        ? [{ kind: 'host', name: `${String(host)}:${String(port)}` }]
        : touchesOfFields(input)
  const known = new Map(all.filter(({ name }) => isKnown(name)).map(({ kind, name }) => [`${kind} ${name}`, { kind, name: shown(name, 500) }]))
  return { touches: [...known.values()].slice(0, MAX_TOUCHES), more: Math.max(0, known.size - MAX_TOUCHES), production: namesProduction(input) }
}
