import { spawn } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { z } from 'zod'

/**
 * The scripted agent of the guided session, for machines without Claude Code: a loop of model request, tool calls and
 * results that speaks to the gateway, the hooks and the broker as Claude Code does. It decides nothing itself.
 */
const Environment = z.object({ HOLDFAST_BASE_URL: z.url(), HOLDFAST_SHIM: z.string().transform((text) => z.array(z.string()).min(1).parse(JSON.parse(text))) })
const { HOLDFAST_BASE_URL: baseUrl, HOLDFAST_SHIM: shim } = Environment.parse(process.env)

const ToolUse = z.object({ type: z.literal('tool_use'), id: z.string(), name: z.string(), input: z.record(z.string(), z.unknown()) })
type ToolUse = z.infer<typeof ToolUse>
const Block = z.union([ToolUse, z.object({ type: z.literal('text'), text: z.string() })])
const Answer = z.object({ content: z.array(Block), stop_reason: z.string().nullable() })
const HookAnswer = z.object({
  hookSpecificOutput: z.object({
    permissionDecision: z.enum(['allow', 'deny']).optional(),
    permissionDecisionReason: z.string().optional(),
    decision: z.object({ behavior: z.enum(['allow', 'deny']) }).optional(),
  }),
})

const post = async (path: string, body: unknown): Promise<unknown> => {
  const response = await fetch(`${baseUrl}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'anthropic-version': '2023-06-01' },
    body: JSON.stringify(body),
  })
  if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`)
  return response.json()
}

const runShell = (command: string): Promise<{ ok: boolean; text: string }> =>
  new Promise((resolve) => {
    const child = spawn('sh', ['-c', command], { stdio: ['ignore', 'pipe', 'pipe'] })
    const chunks: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.once('close', (code) => resolve({ ok: code === 0, text: Buffer.concat(chunks).toString('utf8') || '(no output)' }))
  })

const TOOLS = ['Read', 'Write', 'Bash']

const text = (value: unknown): string => z.string().parse(value)

const execute = async ({ name, input }: ToolUse): Promise<{ ok: boolean; text: string }> => {
  switch (name) {
    case 'Read':
      return { ok: true, text: await readFile(text(input['file_path']), 'utf8') }
    case 'Write':
      await writeFile(text(input['file_path']), text(input['content']))
      return { ok: true, text: 'File written.' }
    default:
      return runShell(text(input['command']))
  }
}

/** As Claude Code does it: hooks hear of the tools that there are, and a call of any other fails at once. */
const callTool = async (use: ToolUse): Promise<{ is_error: boolean; content: string }> => {
  if (!TOOLS.includes(use.name)) return { is_error: true, content: `No such tool: ${use.name}` }
  const event = { tool_name: use.name, tool_input: use.input, tool_use_id: use.id }
  const first = HookAnswer.parse(await post('/hook/pre-tool-use', event)).hookSpecificOutput
  if (first.permissionDecision !== 'allow') return { is_error: true, content: first.permissionDecisionReason ?? 'Denied.' }
  const second = HookAnswer.parse(await post('/hook/permission-request', event)).hookSpecificOutput
  if (second.decision?.behavior !== 'allow') return { is_error: true, content: 'Denied.' }
  const result = await execute(use).catch((error: unknown) => ({ ok: false, text: String(error) }))
  await post(result.ok ? '/hook/post-tool-use' : '/hook/post-tool-use-failure', event)
  return { is_error: !result.ok, content: result.text }
}

/** Shakes hands with the broker through the shim, and asks for its status, as an MCP client does. */
const greetBroker = async (): Promise<void> => {
  const [file = '', ...args] = shim
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'], env: process.env })
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const send = (message: object): void => void child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
  const answerTo = async (id: number): Promise<unknown> => {
    for (;;) {
      const line = await answers.next()
      if (line.done === true) throw new Error('the broker closed the connection')
      const message = z.looseObject({ id: z.number().optional() }).parse(JSON.parse(line.value))
      if (message.id === id) return message
    }
  }
  send({ id: 1, method: 'initialize', params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'scripted-agent', version: '1.0.0' } } })
  await answerTo(1)
  send({ method: 'notifications/initialized' })
  send({ id: 2, method: 'tools/list' })
  await answerTo(2)
  child.stdin.end()
}

const tools = TOOLS.map((name) => ({ name, description: name, input_schema: { type: 'object' } }))
const messages: { role: 'user' | 'assistant'; content: unknown }[] = [{ role: 'user', content: process.argv[2] ?? 'Begin.' }]

await greetBroker()
for (;;) {
  const answer = Answer.parse(await post('/v1/messages', { model: 'claude-sonnet-5-5', max_tokens: 1_024, tools, messages }))
  messages.push({ role: 'assistant', content: answer.content })
  for (const block of answer.content) if (block.type === 'text') process.stdout.write(`${block.text}\n`)
  const uses = answer.content.filter((block): block is ToolUse => block.type === 'tool_use')
  if (uses.length === 0) break
  const results = await Promise.all(uses.map(async (use) => ({ type: 'tool_result', tool_use_id: use.id, ...(await callTool(use)) })))
  messages.push({ role: 'user', content: results })
}
