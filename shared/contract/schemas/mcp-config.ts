import { z } from 'zod'
import { HoldfastError } from '../errors.ts'

/** Longest `.mcp.json` that is read, in characters. */
const MAX_CONFIG_LENGTH = 1_048_576

const text = z.string().max(65_536)

/** `__` separates server and tool in every tool name, so that a server's name never contains it or ends in `_`. */
const ServerName = z
  .string()
  .max(64)
  .regex(/^[A-Za-z0-9]([A-Za-z0-9 ._-]*[A-Za-z0-9])?$/, 'letters and digits, with . _ - or spaces between them')
  .refine((name) => !name.includes('__'), 'must not contain `__`, which separates server and tool')
  .refine((name) => name !== 'holdfast', '`holdfast` is the name of the broker itself')

const VariableName = z
  .string()
  .max(256)
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of an environment variable')

/**
 * Environment of a server as written: `NAME_SECRET` names the keychain item that becomes `NAME`;
 * `ALLOWED_REPOS` and `ALLOWED_ACTIONS` are boundaries for the broker. Neither is resolved here.
 */
const ServerEnvironment = z.record(VariableName, text)

const scalar = z.union([z.string().max(4_096), z.number(), z.boolean()])

/** What one argument of a tool must be. An argument that is missing, or of another type, does not pass. */
export const ArgumentTest = z.union([
  z.strictObject({ equals: scalar }),
  z.strictObject({ oneOf: z.array(scalar).min(1).max(1_000) }),
  /** `*` is any text without a slash, `**` any text. */
  z.strictObject({ glob: z.string().min(1).max(1_000).refine((glob) => glob.split('*').length <= 12, 'at most 11 stars') }),
  /** A folder, absolute or from the session's folder; `.` is the session's folder itself. */
  z.strictObject({ under: z.string().min(1).max(4_096) }),
  /** Both ends are inside. */
  z.strictObject({ range: z.tuple([z.number(), z.number()]) }),
  z.strictObject({ sql: z.literal('read-only') }),
  /** Hosts of a web address; `*.example.com` is every host below that one. */
  z.strictObject({ hosts: z.array(z.string().min(1).max(255)).min(1).max(1_000) }),
])
export type ArgumentTest = z.infer<typeof ArgumentTest>

/** The tools that an agent may see, by name (a `*` at the end stands for any rest), with what their arguments must be. */
export const ToolAccess = z.record(z.string().min(1).max(128), z.union([z.literal(true), z.record(z.string().max(256), ArgumentTest)]))
export type ToolAccess = z.infer<typeof ToolAccess>

/** Headers of a server that is reached over HTTP; `Authorization_SECRET` names the keychain item that becomes `Authorization`. */
const ServerHeaders = z.record(z.string().max(256).regex(/^[A-Za-z0-9_-]+$/, 'must be the name of a header'), text)

const StdioServer = z.object({
  type: z.literal('stdio'),
  command: text.min(1).refine((value) => !value.includes('\0'), 'must not contain a NUL character'),
  args: z.array(text).max(1_024).default([]),
  env: ServerEnvironment.default({}),
  /** Hosts that the server reaches beside what the session may, `*.example.com` for every one below; `open` for all. */
  network: z.union([z.literal('open'), z.array(z.string().min(1).max(255)).max(100)]).optional(),
  /** Only these tools exist for the agent; without it, all do. */
  tools: ToolAccess.optional(),
})

const HttpServer = z.object({ type: z.enum(['http', 'streamable-http', 'sse', 'ws']), url: text, headers: ServerHeaders.optional(), tools: ToolAccess.optional() })

const withType = (value: unknown): unknown =>
  typeof value === 'object' && value !== null && !('type' in value)
    ? { ...value, type: 'url' in value && !('command' in value) ? 'http' : 'stdio' }
    : value

/** One server. Fields that other programs keep in the same file are ignored. */
export const McpServerConfig = z.preprocess(withType, z.discriminatedUnion('type', [StdioServer, HttpServer]))
export type McpServerConfig = z.infer<typeof McpServerConfig>

/** The `.mcp.json` form, as Claude Code and others write it. */
export const McpConfig = z.object({
  mcpServers: z
    .record(ServerName, McpServerConfig)
    .refine((servers) => Object.keys(servers).length <= 100, 'at most 100 servers')
    .default({}),
})
export type McpConfig = z.infer<typeof McpConfig>

/**
 * Reads the text of a `.mcp.json`; `file` is only named in errors.
 * Throws HoldfastError `profile-invalid` with file, and line or field.
 */
export const parseMcpConfig = (file: string, source: string): McpConfig => {
  if (source.length > MAX_CONFIG_LENGTH) {
    throw new HoldfastError('profile-invalid', `${file} is longer than 1 MiB.`, { at: { file } })
  }
  const parsed = McpConfig.safeParse(parseJson(file, source))
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  const field = issue?.path.join('.') || 'mcpServers'
  // The key of a record is reported by a nested issue; its words are the useful ones.
  const problem = issue?.code === 'invalid_key' ? issue.issues[0]?.message : issue?.message
  throw new HoldfastError('profile-invalid', `${file}: ${field}: ${problem ?? 'is not valid'}`, { at: { file, field } })
}

const parseJson = (file: string, source: string): unknown => {
  try {
    return JSON.parse(source)
  } catch (error) {
    // V8 quotes the text around the fault, which may hold a credential: only the position, where it gives one, is told.
    const position = /position (\d+)/.exec(error instanceof Error ? error.message : '')?.[1]
    const line = position === undefined ? null : source.slice(0, Number(position)).split('\n').length
    const where = line === null ? file : `${file} line ${line}`
    throw new HoldfastError('profile-invalid', `${where} is not valid JSON.`, {
      at: { file, ...(line === null ? {} : { line }) },
    })
  }
}
