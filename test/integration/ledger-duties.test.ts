import { rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test, vi } from 'vitest'
import { createLedgerDuties, type LedgerDuties } from '../../shared/core/ledger/ledger-duties.ts'
import { pruneOlderThan } from '../../shared/core/ledger/retention.ts'
import { parseLedgerSettings } from '../../shared/core/ledger/ledger-settings.ts'
import { parseProfileText } from '../../shared/domain/profile-text.ts'
import { startCollector as startOne } from '../support/otlp-collector.ts'
import { useOutbox } from '../support/outbox.ts'

const PROGRAM = fileURLToPath(new URL('../../shared/host/ledger-sender.ts', import.meta.url))
const { clock, closers, ledger, folder, fill } = useOutbox()

/** What the host's own log was told, and who waits for a line of it. */
const createLog = () => {
  const lines: string[] = []
  let heard = (): void => undefined
  return {
    lines,
    log: (line: string): void => {
      lines.push(line)
      heard()
    },
    until: async (part: string): Promise<void> => {
      while (!lines.some((line) => line.includes(part))) await new Promise<void>((resolve) => (heard = resolve))
    },
  }
}

const settingsFile = (): string => join(folder(), 'ledger.yaml')
const write = (text: string): void => writeFileSync(settingsFile(), text)

const open = (log = createLog(), secret: string | null = 'otel-token-1'): LedgerDuties => {
  const live = createLedgerDuties({ clock, settingsFile: settingsFile(), folder: folder(), ledger: ledger(), secrets: { get: (name) => Promise.resolve(name === 'team/otel' ? secret : null) }, program: PROGRAM, log: log.log })
  closers.push(live.close)
  return live
}

const startCollector = async (port = 0) => {
  const collector = await startOne(port)
  closers.push(collector.close)
  return collector
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n + 1)

test('without settings nothing is sent; once they are there, all there is and all that comes, with the header whose value is in the keychain alone', async () => {
  fill(3)
  const live = open()
  expect(live.exports()).toEqual([])
  const collector = await startCollector()
  write(`otlp:\n  endpoint: http://127.0.0.1:${collector.port}\n  headers: { Authorization_SECRET: team/otel, x-tenant: mine }\n`)
  // The third signal of the first batch: the three entries, and that of the secret.
  await collector.until(() => collector.taken.length === 3)
  expect(collector.taken.map(({ path, headers }) => [path, headers['authorization'], headers['x-tenant']])).toEqual(
    ['/v1/logs', '/v1/traces', '/v1/metrics'].map((path) => [path, 'Bearer otel-token-1', 'mine']),
  )
  fill(2)
  live.saw()
  await collector.until(() => collector.sequences().length === 6)
  expect(collector.sequences()).toEqual(upTo(6))
  expect(collector.problems).toEqual([])
  const named = ledger().read({ after: 3, limit: 1 }).entries[0]
  expect([named?.kind, named?.body]).toEqual(['secret/resolved', { secret: 'team/otel', server: 'the audit log', variable: 'Authorization' }])
  expect(JSON.stringify(ledger().tail(100).entries)).not.toContain('otel-token-1')
})

test('only the signals that are asked for are sent', async () => {
  fill(2)
  const collector = await startCollector()
  write(`otlp: { endpoint: "http://127.0.0.1:${collector.port}", signals: [logs] }\n`)
  const live = open()
  await collector.until(() => collector.taken.length === 1)
  fill(1)
  live.saw()
  await collector.until(() => collector.taken.length === 2)
  expect(collector.taken.map(({ path }) => path)).toEqual(['/v1/logs', '/v1/logs'])
})

test('a collector that is down while the host runs, stops and starts again gets all once it is back: nothing lost, nothing twice', async () => {
  const collector = await startCollector()
  write(`otlp: { endpoint: "http://127.0.0.1:${collector.port}", signals: [logs] }\n`)
  fill(300)
  const first = open()
  await vi.waitFor(() => expect(first.exports()).toEqual([{ format: 'otlp', to: `http://127.0.0.1:${collector.port}`, sent: 300, waiting: 0, problem: null }]), 10_000)
  await collector.close()
  fill(2)
  first.saw()
  await first.close()
  const second = open()
  fill(1)
  second.saw()
  const again = await startCollector(collector.port)
  await again.until(() => again.sequences().length === 3)
  expect([...collector.sequences(), ...again.sequences()]).toEqual(upTo(303))
  expect(again.problems).toEqual([])
})

test('a collector that does not answer is named in the state with what waits for it', async () => {
  fill(2)
  write(`syslog: { to: "unix://${join(folder(), 'nobody.sock')}" }\n`)
  const log = createLog()
  const live = open(log)
  await log.until('does not take entries')
  expect(live.exports()).toEqual([{ format: 'syslog', to: `unix://${join(folder(), 'nobody.sock')}`, sent: 0, waiting: 2, problem: expect.stringContaining('(ENOENT)') as string }])
})

test('a secret that is not there stops the sending with a word about it, and nothing leaves', async () => {
  const collector = await startCollector()
  write(`otlp: { endpoint: "http://127.0.0.1:${collector.port}", headers: { Authorization_SECRET: team/otel } }\n`)
  const log = createLog()
  fill(1)
  const live = open(log, null)
  await log.until('The keychain has no item')
  expect(live.exports()[0]?.problem).toContain('holdfast secret set')
  expect(collector.taken).toEqual([])
})

test('a syslog collector on this machine gets the entries as they come', async () => {
  const received: string[] = []
  let heard = (): void => undefined
  const server = createServer({ allowHalfOpen: false }, (socket) => {
    socket.on('data', (chunk) => {
      received.push(chunk.toString())
      heard()
    })
  })
  closers.push(() => new Promise((resolve) => server.close(resolve)))
  const socket = join(folder(), 'log.sock')
  await new Promise<void>((resolve) => server.listen(socket, resolve))
  fill(2)
  write(`syslog: { to: "unix://${socket}" }\n`)
  open()
  while ([...received.join('').matchAll(/sequenceId="(\d+)"/g)].length < 2) await new Promise<void>((resolve) => (heard = resolve))
  expect([...received.join('').matchAll(/sequenceId="(\d+)"/g)].map(([, digits]) => digits)).toEqual(['1', '2'])
})

test('settings that are taken away stop it; those that cannot be used are told of and send nothing', async () => {
  const collector = await startCollector()
  write(`otlp: { endpoint: "http://127.0.0.1:${collector.port}" }\n`)
  fill(1)
  const log = createLog()
  const live = open(log)
  await collector.until(() => collector.sequences().length === 1)
  write('otlp: { endpoint: "http://collector.example:4318" }\n')
  await log.until('cannot be used: otlp.endpoint')
  expect(live.exports()).toMatchObject([{ sent: 0, problem: expect.stringContaining('must be https') as string }])
  rmSync(settingsFile())
})

test('content that is older than the settings keep is emptied, the proof stays, and it is not said again where there is nothing new', async () => {
  const log = createLog()
  fill(3)
  clock.move(30 * 86_400_000 + 1)
  fill(1)
  write('keepContentDays: 30\n')
  open(log)
  await vi.waitFor(() => expect(ledger().tail(1).entries[0]?.kind).toBe('ledger/pruned'))
  expect(ledger().tail(10).entries.map(({ kind, pruned }) => [kind, pruned])).toEqual([...[1, 2, 3].map(() => ['tool-call/outcome', true]), ['tool-call/outcome', false], ['ledger/pruned', false]])
  await pruneOlderThan(ledger(), clock, 30)
  expect(ledger().tail(10).entries).toHaveLength(5)
  expect(await ledger().verify()).toMatchObject({ ok: true })
  expect(log.lines).toEqual([])
})

test.each([
  ['plain http beyond this machine', 'otlp: { endpoint: "http://collector.example:4318" }'],
  ['a name that only looks like this machine', 'otlp: { endpoint: "http://127.0.0.1.collector.example" }'],
  ['a password in the address', 'otlp: { endpoint: "https://user:hunter22@collector.example" }'],
  ['a query, where a key could stand', 'otlp: { endpoint: "https://collector.example/?key=1" }'],
  ['a file', 'otlp: { endpoint: "file:///tmp/x" }'],
  ['a secret in the file itself', 'otlp: { endpoint: "https://collector.example", headers: { Authorization: "Bearer abcdefgh12345" } }'],
  ['a secret where its name belongs', 'otlp: { endpoint: "https://collector.example", headers: { Authorization_SECRET: "Bearer abcdefgh12345" } }'],
  ['a line break in a header', 'otlp: { endpoint: "https://collector.example", headers: { x-a: "1\\r\\nx-b: 2" } }'],
  ['an unknown signal', 'otlp: { endpoint: "https://collector.example", signals: [profiles] }'],
  ['an unknown setting', 'otel: { endpoint: "https://collector.example" }'],
  ['syslog beyond this machine, which is in clear text', 'syslog: { to: "udp://collector.example:514" }'],
])('refuses %s, and repeats none of it', (_, text) => {
  expect(() => parseLedgerSettings('/home/me/ledger.yaml', text)).toThrow(/^\/home\/me\/ledger\.yaml (?!.*(hunter22|abcdefgh12345)).*Until it is mended/)
})

test('a project’s own file can send the audit log nowhere', () => {
  expect(() => parseProfileText('/p/holdfast.yaml', 'project', 'agent: one\notlp: { endpoint: "https://collector.example" }\n')).toThrow('otlp')
})
