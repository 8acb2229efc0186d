import { PassThrough, Writable } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createLineTransport } from '../../shared/core/broker/line-transport.ts'
import { heldBytes } from '../support/memory.ts'

const MIB = 1024 * 1024
const call = (id: number, text: string) => ({ jsonrpc: '2.0' as const, id, method: 'tools/call', params: { name: 'echo', arguments: { text } } })

/** What a transport says it has received, of bytes that come in these pieces. */
const receivedOf = async (pieces: readonly Buffer[]): Promise<{ messages: unknown[]; errors: string[]; isClosed: boolean }> => {
  const input = new PassThrough()
  const got = { messages: [] as unknown[], errors: [] as string[], isClosed: false }
  const transport = createLineTransport(input, new PassThrough(), () => (got.isClosed = true))
  transport.onmessage = (message) => void got.messages.push(message)
  transport.onerror = (error) => void got.errors.push(error.message)
  await transport.start()
  for (const piece of pieces) input.write(piece)
  await turn()
  return got
}

/** Takes nothing, as a process that does not read its input. */
const unread = (): Writable => new Writable({ highWaterMark: 65_536, decodeStrings: false, write: () => {} })

test('messages are the same however their bytes are cut', async () => {
  const texts = fc.array(fc.array(fc.constantFrom('x', 'é', '😀', '\u2028', '\ufffd', '"', '\\', '\n', '\u0000', 'y'.repeat(5_000))).map((parts) => parts.join('')), { minLength: 1, maxLength: 5 })
  await fc.assert(
    fc.asyncProperty(texts, fc.array(fc.nat(20_000), { maxLength: 20 }), async (all, cuts) => {
      const messages = all.map((text, id) => call(id, text))
      const bytes = Buffer.from(messages.map((message, at) => `${JSON.stringify(message)}${at % 2 === 0 ? '\n' : '\r\n'}`).join(''))
      const ends = [...new Set([0, ...cuts.map((cut) => cut % bytes.length), bytes.length])].toSorted((a, b) => a - b)
      const pieces = ends.slice(1).map((end, at) => bytes.subarray(ends[at], end))
      expect((await receivedOf(pieces)).messages).toEqual(messages)
    }),
    { numRuns: 200 },
  )
})

test.for([
  ['nothing', ''],
  ['a mark of byte order', '\ufeff{"jsonrpc":"2.0","id":1,"method":"ping"}'],
  ['a zero byte', '\u0000{"jsonrpc":"2.0","id":1,"method":"ping"}'],
  ['two messages with a carriage return between', '{"jsonrpc":"2.0","id":1,"method":"ping"}\r{"jsonrpc":"2.0","id":2,"method":"ping"}'],
  ['a list', '[{"jsonrpc":"2.0","id":1,"method":"ping"}]'],
  ['a message in a text', '"{\\"jsonrpc\\":\\"2.0\\",\\"id\\":1,\\"method\\":\\"ping\\"}"'],
  ['a method that is an object', '{"jsonrpc":"2.0","id":1,"method":{"toString":"ping"}}'],
  ['a beginning without its end', '{"jsonrpc":"2.0","id":1,"method":"ping"'],
] as const)('%s is no message, and the one after it is read', async ([, line]) => {
  const { messages, isClosed } = await receivedOf([Buffer.from(`${line}\n{"jsonrpc":"2.0","id":9,"method":"ping"}\n`)])
  expect(messages).toEqual([{ jsonrpc: '2.0', id: 9, method: 'ping' }])
  expect(isClosed).toBe(false)
})

test('bytes that are no UTF-8 are what everybody else takes them for, and no end of a text', async () => {
  const [before, after] = ['{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a', 'b"}}\n'].map((text) => Buffer.from(text)) as [Buffer, Buffer]
  // A lead byte before the quote, an overlong quote, an encoded half of a pair.
  for (const odd of [[0xe2], [0xc0, 0xa2], [0xed, 0xa0, 0x80], [0xff, 0xfe]]) {
    const { messages } = await receivedOf([Buffer.concat([before, Buffer.from(odd), after])])
    expect(messages).toEqual([{ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: `a${'\ufffd'.repeat(odd.length)}b` } }])
  }
})

test('a message that is longer than 16 MiB ends the connection, and takes no more memory than that, however small its pieces', async () => {
  const whole = await receivedOf([...Array.from({ length: 17 }, () => Buffer.alloc(MIB, 'x')), Buffer.from('\n{"jsonrpc":"2.0","id":9,"method":"ping"}\n')])
  expect(whole).toEqual({ messages: [], errors: ['a message is longer than 16777216 bytes'], isClosed: true })

  const input = new PassThrough()
  const transport = createLineTransport(input, new PassThrough(), () => {})
  await transport.start()
  const before = heldBytes()
  for (let i = 0; i < 200_000; i += 1) input.emit('data', Buffer.from('x'))
  expect(heldBytes() - before).toBeLessThan(2_000_000)
  await transport.close()
})

test('a side that does not read is sent no more than 32 MiB of requests and notifications', async () => {
  const output = unread()
  const transport = createLineTransport(new PassThrough(), output, () => {})
  await transport.start()
  const sent = Array.from({ length: 60 }, (_, id) => transport.send(call(id, 'x'.repeat(MIB))))
  const failed: string[] = []
  for (const one of sent) one.catch((error: Error) => failed.push(error.message))
  await expect(transport.send({ jsonrpc: '2.0', method: 'notifications/progress', params: {} })).rejects.toThrow('the other side does not read what it is sent')
  expect(failed).toEqual(Array<string>(28).fill('the other side does not read what it is sent'))
  expect(output.writableLength).toBeLessThan(34 * MIB)
  expect(output.destroyed).toBe(false)
  await transport.close()
})

test('where more than 64 MiB of answers are not read, the connection ends instead of losing one', async () => {
  const output = unread()
  const errors: string[] = []
  let closed = 0
  const transport = createLineTransport(new PassThrough(), output, () => (closed += 1))
  transport.onclose = () => (closed += 1)
  await transport.start()
  const answer = (id: number) => transport.send({ jsonrpc: '2.0', id, result: { text: 'x'.repeat(MIB) } })
  for (let id = 0; id < 64; id += 1) answer(id).catch((error: Error) => errors.push(error.message))
  await turn()
  expect([closed, errors]).toEqual([0, []])
  answer(64).catch(() => {})
  await expect(answer(65)).rejects.toThrow('the connection is closed')
  await turn()
  expect(closed).toBe(2)
  expect(output.destroyed).toBe(true)
})
