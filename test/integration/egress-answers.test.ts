import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { once } from 'node:events'
import { afterAll, describe, expect, it } from 'vitest'
import { createEgress, type HostReason } from '../../shared/core/egress/egress.ts'
import type { ToolCallGate } from '../../shared/core/ports.ts'
import { createClock, createMemoryLedger, decisionOf, ids, SESSION } from '../support/fakes.ts'

const outside = createServer((socket) => void socket.end('hello'))
outside.listen(0, '127.0.0.1')
await once(outside, 'listening')
const target = `127.0.0.1:${(outside.address() as AddressInfo).port}`
const pairs = createServer()
pairs.listen(0, '127.0.0.1')
await once(pairs, 'listening')
afterAll(() => {
  outside.close()
  pairs.close()
})

const setUp = (effect: 'allow' | 'ask', unasked: readonly HostReason[] = []) => {
  const clock = createClock()
  let asked = 0
  let answer = true
  const gate: ToolCallGate = {
    request: () => {
      asked += 1
      const toolCallId = ids.toolCall()
      return Promise.resolve(answer ? { allowed: true, toolCallId } : { allowed: false, toolCallId, reason: 'No.' })
    },
    finish: () => undefined,
  }
  const proxy = createEgress({ clock, gate, ledger: createMemoryLedger(), judge: () => decisionOf(effect) })
    .openSession({ sessionId: SESSION, listed: [], refused: [], unasked, signal: new AbortController().signal })
  /** The first line of what a program inside gets when it asks the proxy for the target. */
  const reach = async (): Promise<string> => {
    const accepted = once(pairs, 'connection') as Promise<[Socket]>
    const program = connect((pairs.address() as AddressInfo).port, '127.0.0.1')
    const [[inside]] = await Promise.all([accepted, once(program, 'connect')])
    void proxy.connect(target, inside, Buffer.alloc(0))
    let said = ''
    for await (const chunk of program) said += String(chunk)
    return said.split('\r\n')[0] ?? ''
  }
  return { clock, reach, asked: () => asked, sayNo: () => void (answer = false) }
}

describe('a yes to the question about a host', () => {
  it('is for the connections of one minute; after it the next connection asks again', async () => {
    const { clock, reach, asked, sayNo } = setUp('ask')
    expect(await reach()).toBe('HTTP/1.1 200 Connection Established')
    clock.move(59_999)
    expect(await reach()).toBe('HTTP/1.1 200 Connection Established')
    expect(asked()).toBe(1)
    clock.move(1)
    sayNo()
    expect(await reach()).toBe('HTTP/1.1 403 Forbidden')
    expect(asked()).toBe(2)
  })

  it('is never asked for where a rule allows the host, and that does not end', async () => {
    const { clock, reach, asked } = setUp('allow')
    await reach()
    clock.move(600_000)
    expect(await reach()).toBe('HTTP/1.1 200 Connection Established')
    expect(asked()).toBe(0)
  })
})

describe('a host of the agent’s own housekeeping', () => {
  const unasked = [{ host: '127.0.0.1', reason: 'The agent does not update itself here.' }]

  it('is refused without a question', async () => {
    const { reach, asked } = setUp('ask', unasked)
    expect(await reach()).toBe('HTTP/1.1 403 Forbidden')
    expect(asked()).toBe(0)
  })

  it('is reached where a rule of the user allows it', async () => {
    expect(await setUp('allow', unasked).reach()).toBe('HTTP/1.1 200 Connection Established')
  })
})
