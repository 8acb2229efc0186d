import { readFileSync } from 'node:fs'
import type { Client } from '@modelcontextprotocol/client'
import { afterEach, expect, test, vi } from 'vitest'
import type { ToolCallAsk, ToolCallVerdict } from '../../shared/core/ports.ts'
import { CALL_ID, FIXTURE_SERVER, nodeServer, openHarness, SESSION_ID } from '../fixtures/servers/broker-session.ts'
import type { Harness } from '../fixtures/servers/broker-session.ts'

const ALLOWED: ToolCallVerdict = { allowed: true, toolCallId: CALL_ID }
let harness: Harness
afterEach(() => harness.close())

const open = async (decide?: (ask: ToolCallAsk) => Promise<ToolCallVerdict>) => {
  harness = await openHarness({ fixture: nodeServer(FIXTURE_SERVER) }, decide === undefined ? {} : { decide })
  return harness.agent()
}
const textOf = (result: Awaited<ReturnType<Client['callTool']>>): string =>
  result.content.map((block) => (block.type === 'text' ? block.text : '')).join('')
const counts = async (client: Client): Promise<unknown> =>
  JSON.parse(textOf(await client.callTool({ name: 'fixture__counts' })))

/** Holds every `hang` and `mutable` call at the gate until it is answered or withdrawn; lets other tools pass. */
const heldGate = () => {
  const asked = Promise.withResolvers<ToolCallAsk>()
  const answer = Promise.withResolvers<ToolCallVerdict>()
  const decide = async (ask: ToolCallAsk): Promise<ToolCallVerdict> => {
    if (!/hang|mutable/.test(ask.tool)) return ALLOWED
    asked.resolve(ask)
    const withdrawn = new Promise<ToolCallVerdict>((resolve) => {
      ask.signal.addEventListener('abort', () => resolve({ allowed: false, toolCallId: CALL_ID, reason: 'withdrawn' }))
    })
    return Promise.race([answer.promise, withdrawn])
  }
  return { decide, asked: asked.promise, answer: answer.resolve }
}

test('a call reaches the gate with all that policy needs, and the server with the agent’s identity', async () => {
  const { client } = await open()
  const result = await client.callTool({ name: 'fixture__meta', _meta: { 'claudecode/toolUseId': 'toolu_1' } })
  expect(harness.asks).toHaveLength(1)
  expect(harness.asks[0]).toMatchObject({
    sessionId: SESSION_ID,
    tool: 'mcp__fixture__meta',
    input: {},
    toolUseId: 'toolu_1',
  })
  expect(JSON.parse(textOf(result))).toEqual({
    'claudecode/toolUseId': 'toolu_1',
    'holdfast/agent': 'claude-test',
    'holdfast/session': SESSION_ID,
    'holdfast/token': 'a.signed.token',
  })
  expect(harness.finished).toMatchObject([{ ok: true, summary: 'the server answered' }])
})

test('a denied call is an error result with the reason, and never reaches the server', async () => {
  const { client } = await open(async ({ tool }) =>
    tool === 'mcp__fixture__hang' ? { allowed: false, toolCallId: CALL_ID, reason: 'Not on a Friday.' } : ALLOWED,
  )
  const result = await client.callTool({ name: 'fixture__hang' })
  expect(result).toMatchObject({ isError: true, content: [{ type: 'text', text: 'Not on a Friday.' }] })
  expect(harness.finished).toEqual([])
  expect(await counts(client)).toEqual({ hanging: 0, cancelled: 0 })
})

test('progress flows, always growing, while the gate thinks, and the call runs once it is allowed', async () => {
  const gate = heldGate()
  const { client } = await open(gate.decide)
  const progress: number[] = []
  const result = await client.callTool(
    { name: 'fixture__mutable' },
    {
      onprogress: (step) => {
        progress.push(step.progress)
        if (progress.length === 3) gate.answer(ALLOWED)
      },
    },
  )
  expect(textOf(result)).toBe('ran')
  expect(progress.length).toBeGreaterThanOrEqual(3)
  expect(progress).toEqual([...new Set(progress)].sort((a, b) => a - b))
  expect(progress.every((value) => value > 0 && value < 1)).toBe(true)
})

test('of calls at once a session has a thousand, and is told so when it asks for more', async () => {
  const { decide, answer } = heldGate()
  const { client } = await open(decide)
  const held = Promise.all(Array.from({ length: 1_000 }, () => client.callTool({ name: 'fixture__mutable' })))
  held.catch(() => {})
  const more = await client.callTool({ name: 'fixture__mutable' })
  expect(more).toEqual({ isError: true, content: [{ type: 'text', text: '1000 calls of this session are under way, and more are not taken. Wait for some to end.' }] })
  expect(harness.asks).toHaveLength(1_000)
  answer(ALLOWED)
  expect(new Set((await held).map(textOf))).toEqual(new Set(['ran']))
  expect(textOf(await client.callTool({ name: 'fixture__mutable' }))).toBe('ran')
})

test('an agent that cancels withdraws the question, and the call never runs', async () => {
  const gate = heldGate()
  const { client } = await open(gate.decide)
  const cancel = new AbortController()
  const call = client.callTool({ name: 'fixture__hang' }, { signal: cancel.signal })
  const ask = await gate.asked
  cancel.abort()
  await expect(call).rejects.toThrow(/abort/i)
  expect(await counts(client)).toEqual({ hanging: 0, cancelled: 0 })
  expect(ask.signal.aborted).toBe(true)
})

test('a call that is allowed after the agent has cancelled it never runs', async () => {
  const asked = Promise.withResolvers<void>()
  const { client } = await open(async ({ tool, signal }) => {
    if (tool !== 'mcp__fixture__hang') return ALLOWED
    asked.resolve()
    return new Promise((resolve) => signal.addEventListener('abort', () => resolve(ALLOWED)))
  })
  const cancel = new AbortController()
  const call = client.callTool({ name: 'fixture__hang' }, { signal: cancel.signal })
  await asked.promise
  cancel.abort()
  await expect(call).rejects.toThrow(/abort/i)
  expect(await counts(client)).toEqual({ hanging: 0, cancelled: 0 })
  expect(harness.finished[0]).toMatchObject({ ok: false, summary: 'cancelled by the agent before it ran' })
})

test('an agent that dies withdraws the question', async () => {
  const gate = heldGate()
  const { client, transport } = await open(gate.decide)
  client.callTool({ name: 'fixture__hang' }).catch(() => {})
  const ask = await gate.asked
  const withdrawn = new Promise((resolve) => ask.signal.addEventListener('abort', resolve))
  process.kill(transport.pid ?? 0, 'SIGKILL')
  await withdrawn
  expect(await counts((await harness.agent()).client)).toEqual({ hanging: 0, cancelled: 0 })
})

test('cancelling a running call cancels it at the server', async () => {
  const { client } = await open()
  const cancel = new AbortController()
  const call = client.callTool({ name: 'fixture__hang' }, { signal: cancel.signal, onprogress: () => cancel.abort() })
  await expect(call).rejects.toThrow(/abort/i)
  expect(await counts(client)).toEqual({ hanging: 1, cancelled: 1 })
  expect(harness.finished[0]).toMatchObject({ ok: false, summary: 'cancelled by the agent while it ran' })
})

test('a call whose tool was redefined while it waited does not run', async () => {
  const gate = heldGate()
  const { client } = await open(gate.decide)
  const definition = async () => {
    const { tools } = await client.listTools()
    return tools.find((tool) => tool.name === 'fixture__mutable')?.description
  }
  expect(await definition()).toBe('As first defined')
  const changed = new Promise<void>((resolve) => {
    client.setNotificationHandler('notifications/tools/list_changed', async () => {
      if ((await definition()) !== 'As first defined') resolve()
    })
  })
  const call = client.callTool({ name: 'fixture__mutable' })
  await gate.asked
  await client.callTool({ name: 'fixture__redefine' })
  await changed
  gate.answer(ALLOWED)
  const result = await call
  expect(result.isError).toBe(true)
  expect(textOf(result)).toContain('has changed while the call waited')
})

test('the status tool tells the agent its limits and passes the gate like any other', async () => {
  const { client } = await open()
  await client.listTools()
  expect(JSON.parse(textOf(await client.callTool({ name: 'status' })))).toEqual({
    agent: 'claude-test',
    sessionId: SESSION_ID,
    capUsd: 5,
    servers: [{ name: 'fixture', state: 'ready', message: null, tools: 9 }],
  })
  expect(harness.asks.map((ask) => ask.tool)).toEqual(['mcp__holdfast__status'])
})

const isAlive = (pid: string): boolean => {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

test.skipIf(process.platform !== 'linux').each(['gently', 'at-once'] as const)(
  'neither a server nor its child outlives a session that is closed %s',
  async (urgency) => {
    const { client } = await open()
    const server = textOf(await client.callTool({ name: 'fixture__pid' }))
    const child = textOf(await client.callTool({ name: 'fixture__spawn' }))
    expect([isAlive(server), isAlive(child)]).toEqual([true, true])
    await harness.session.close(urgency)
    await vi.waitFor(() => expect([isAlive(server), isAlive(child)]).toEqual([false, false]))
  },
)
