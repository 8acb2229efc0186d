import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createSyslogSender, parseSyslogTarget, type SyslogSenderDeps } from '../../shared/core/ledger/syslog-sender.ts'
import { canonicalJson } from '../../shared/domain/ledger-chain.ts'
import { CALL, SESSION, useOutbox } from '../support/outbox.ts'

/** The grammar of RFC 5424 section 6, as far as it says what each field may hold. */
const RFC5424 = /^<(\d{1,3})>([1-9]\d{0,2}) (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,6}Z) ([\x21-\x7e]{1,255}) ([\x21-\x7e]{1,48}) ([\x21-\x7e]{1,128}) ([\x21-\x7e]{1,32}) (\[[\x21-\x7e]+ sequenceId="\d+"\]) ([\x20-\x7e]*)$/

const { closers, ledger, folder, fill, deps } = useOutbox()

const senderTo = (to: string, own: Partial<SyslogSenderDeps> = {}) => createSyslogSender({ ...deps(), to, hostname: 'ada machine', ...own })

/** Reads what stream connections bring, framed by octet counting, and throws on any other framing. */
const startServer = async (where: number | string) => {
  const taken: string[] = []
  const server: Server = createServer((socket) => {
    const chunks: Buffer[] = []
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.on('end', () => {
      let rest = Buffer.concat(chunks)
      while (rest.length > 0) {
        const [digits = ''] = /^[1-9]\d* /.exec(rest.subarray(0, 12).toString()) ?? []
        if (digits === '') throw new Error('no octet count')
        taken.push(rest.subarray(digits.length, digits.length + Number(digits)).toString())
        rest = rest.subarray(digits.length + Number(digits))
      }
    })
  })
  server.listen(typeof where === 'string' ? { path: where } : { port: where, host: '127.0.0.1' })
  await once(server, 'listening')
  const close = () => new Promise((resolve) => server.close(resolve))
  closers.push(close)
  return { taken, close, port: typeof where === 'string' ? 0 : (server.address() as AddressInfo).port }
}

const sequences = (taken: readonly string[]): number[] => taken.map((message) => Number(/sequenceId="(\d+)"/.exec(message)?.[1]))

test('each entry is a message of RFC 5424 that holds it whole, over UDP too', async () => {
  const entries = [
    ledger().append('host/stopped', null, {}),
    ledger().append('tool-call/outcome', SESSION, { toolCallId: CALL, ok: false, summary: 'é \ud800 "odd"\n<1>1 forged', durationMs: 1 }),
    ledger().append('alarm/raised', SESSION, { message: 'look' }),
  ]
  const socket = createSocket('udp4')
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  closers.push(() => socket.close())
  const taken: string[] = []
  const all = new Promise<void>((resolve) => socket.on('message', (message) => taken.push(message.toString()) === 3 && resolve()))
  expect(await senderTo(`udp://127.0.0.1:${socket.address().port}`)()).toBe(3)
  await all
  const parsed = taken.map((message) => RFC5424.exec(message)?.slice(1) ?? [])
  expect(parsed.map(([priority, ...rest]) => [priority, ...rest.slice(0, 7)])).toEqual([
    ['110', '1', '2025-11-23T12:13:20.000Z', 'adamachine', 'holdfast', '-', 'host/stopped', '[meta sequenceId="1"]'],
    ['108', '1', '2025-11-23T12:13:20.000Z', 'adamachine', 'holdfast', '-', 'tool-call/outcome', '[meta sequenceId="2"]'],
    ['107', '1', '2025-11-23T12:13:20.000Z', 'adamachine', 'holdfast', '-', 'alarm/raised', '[meta sequenceId="3"]'],
  ])
  expect(parsed.map((fields) => JSON.parse(fields[8] ?? '') as unknown)).toEqual(entries.map((entry) => JSON.parse(canonicalJson(entry)) as unknown))
})

test('an entry too long for a message comes without its body, which its hash stands for', async () => {
  const { bodyHash } = ledger().append('alarm/raised', SESSION, { message: 'é'.repeat(9_000) })
  const server = await startServer(0)
  await senderTo(`tcp://127.0.0.1:${server.port}`)()
  const message = RFC5424.exec(server.taken[0] ?? '')?.[9] ?? ''
  expect(server.taken[0]?.length).toBeLessThan(1_000)
  expect(JSON.parse(message)).toMatchObject({ bodyHash, bodyLeftOut: 9_014, sequence: 1 })
})

test('a collector over TCP that is down and comes back has missed nothing and gets nothing twice', async () => {
  const first = await startServer(0)
  fill(150)
  await senderTo(`tcp://127.0.0.1:${first.port}`)()
  await first.close()
  fill(150)
  await expect(senderTo(`tcp://127.0.0.1:${first.port}`)()).rejects.toThrow('Nothing is lost')
  let again: Awaited<ReturnType<typeof startServer>> | null = null
  const waits: number[] = []
  const wait = async (ms: number): Promise<void> => {
    if (waits.push(ms) === 3) again = await startServer(first.port)
  }
  expect(await senderTo(`tcp://127.0.0.1:${first.port}`, { tries: Infinity, wait })()).toBe(150)
  expect(waits).toEqual([1_000, 2_000, 4_000])
  expect(sequences([...first.taken, ...(again as unknown as typeof first).taken])).toEqual(Array.from({ length: 300 }, (_, n) => n + 1))
})

test('a unix stream socket gets them too', async () => {
  const path = join(folder(), 'log.sock')
  const server = await startServer(path)
  fill(3)
  expect(await senderTo(`unix://${path}`)()).toBe(3)
  expect(sequences(server.taken)).toEqual([1, 2, 3])
})

test('what is no target is refused in words', () => {
  expect(parseSyslogTarget('udp://[::1]')).toEqual({ kind: 'udp', host: '::1', port: 514 })
  expect(parseSyslogTarget('tcp://logs.example:6514')).toEqual({ kind: 'tcp', host: 'logs.example', port: 6_514 })
  for (const text of ['', 'logs.example', 'http://logs.example', 'unix://', 'udp://']) expect(() => parseSyslogTarget(text), text).toThrow('Say where the syslog collector is')
})
