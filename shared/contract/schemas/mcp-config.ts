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

const StdioServer = z.object({
  type: z.literal('stdio'),
  command: text.min(1).refine((value) => !value.includes('\0'), 'must not contain a NUL character'),
  args: z.array(text).max(1_024).default([]),
  env: ServerEnvironment.default({}),
})

const HttpServer = z.object({ type: z.enum(['http', 'streamable-http', 'sse', 'ws']), url: text })

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
