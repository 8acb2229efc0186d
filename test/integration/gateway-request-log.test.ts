import { existsSync, readFileSync, statSync } from 'node:fs'
import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createRedactor } from '../../shared/core/broker/redactor.ts'
import { createRequestLogs } from '../../shared/core/gateway/request-log.ts'
import { messagesBody, postMessages, SESSION, startGateway, startRawProvider } from './gateway-fixture.ts'
import { closing, KEY, STREAM, wire } from './gateway-harness.ts'

const GITHUB = 'ghp_0123456789abcdefghijABCDEFGHIJ012345'

let base = ''
const faults: string[] = []
const folder = (): string => join(base, 'model-requests')
const startLogs = (clock = { now: () => Date.now() }) => createRequestLogs({ folder: folder(), redactor: createRedactor(), clock, log: (line) => faults.push(line) })

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'holdfast-requests-'))
})
afterEach(async () => {
  faults.length = 0
  await rm(base, { recursive: true, force: true })
})

/** A provider that says in its answer, and in a header of it, what it was given. */
const startTelling = async (status = 200) =>
  closing(
    await startRawProvider((request, response) => {
      request.resume()
      const given = String(request.headers['x-api-key'])
      response.writeHead(status, { 'content-type': 'text/event-stream', 'x-told': given })
      response.end(Buffer.concat([wire(STREAM), Buffer.from(`: the key was ${given}\n\n`)]))
    }),
  )

test('with record.requests "full" each request and its answer stand in a file of the user alone, no credential among them, and the agent gets every byte', async () => {
  const provider = await startTelling()
  const logs = startLogs()
  const gateway = closing(await startGateway({ upstreamBaseUrl: provider.baseUrl, requestLog: logs.of(SESSION, 'full') }))
  const answer = await postMessages(gateway.baseUrl, messagesBody({ messages: [{ role: 'user', content: `my token is ${GITHUB}` }] }))
  expect(await answer.text()).toBe(`${wire(STREAM)}: the key was ${KEY}\n\n`)
  await gateway.settled()
  await logs.close()
  const text = readFileSync(logs.fileOf(SESSION), 'utf8')
  expect(text).not.toContain(KEY)
  expect(text).not.toContain(GITHUB)
  expect(statSync(logs.fileOf(SESSION)).mode & 0o777).toBe(0o600)
  const [entry, ...more] = text.trim().split('\n').map((line) => JSON.parse(line))
  expect(more).toEqual([])
  expect(entry).toMatchObject({
    request: { line: 'POST /v1/messages?beta=true', headers: { 'anthropic-version': '2023-06-01', 'x-api-key': '[not logged]' }, body: messagesBody({ messages: [{ role: 'user', content: 'my token is [redacted]' }] }) },
    answer: { status: 200, headers: { 'x-told': '[redacted]' }, body: `${wire(STREAM)}: the key was [redacted]\n\n` },
  })
  expect(entry).not.toHaveProperty('failed')
})

test('with "headers" no body stands in it, only how long each was; with "off" there is no file', async () => {
  const provider = await startTelling()
  const logs = startLogs()
  const body = messagesBody()
  const gateway = closing(await startGateway({ upstreamBaseUrl: provider.baseUrl, requestLog: logs.of(SESSION, 'headers') }))
  await (await postMessages(gateway.baseUrl, body)).text()
  await gateway.settled()
  await logs.close()
  const entry = JSON.parse(readFileSync(logs.fileOf(SESSION), 'utf8'))
  expect(entry.request).toMatchObject({ bytes: body.length })
  expect(entry.request).not.toHaveProperty('body')
  expect(entry.answer).not.toHaveProperty('body')
  expect(logs.of(SESSION, 'off')).toBeNull()
})

test('what the provider refuses, and one that cannot be reached, stand in it too', async () => {
  const provider = await startTelling(529)
  const logs = startLogs()
  const gateway = closing(await startGateway({ upstreamBaseUrl: provider.baseUrl, requestLog: logs.of(SESSION, 'full') }))
  expect((await postMessages(gateway.baseUrl, messagesBody())).status).toBe(529)
  await gateway.settled()
  await provider.close()
  expect((await postMessages(gateway.baseUrl, messagesBody())).status).toBe(502)
  await gateway.settled()
  await logs.close()
  const entries = readFileSync(logs.fileOf(SESSION), 'utf8').trim().split('\n').map((line) => JSON.parse(line))
  expect(entries).toMatchObject([{ answer: { status: 529 } }, { failed: 'ECONNREFUSED' }])
})

test('a body above 4 MiB is cut in the file, and says so', async () => {
  const provider = await startTelling()
  const logs = startLogs()
  const gateway = closing(await startGateway({ upstreamBaseUrl: provider.baseUrl, requestLog: logs.of(SESSION, 'full') }))
  const body = messagesBody({ messages: [{ role: 'user', content: 'x'.repeat(5 * 1024 * 1024) }] })
  await (await postMessages(gateway.baseUrl, body)).text()
  await gateway.settled()
  await logs.close()
  const { request } = JSON.parse(readFileSync(logs.fileOf(SESSION), 'utf8'))
  expect(request).toMatchObject({ bytes: body.length, cut: true })
  expect(request.body).toHaveLength(4 * 1024 * 1024)
})

test('where it cannot be written the session goes on, and the host says why', async () => {
  await writeFile(folder(), 'in the way')
  const provider = await startTelling()
  const logs = startLogs()
  const gateway = closing(await startGateway({ upstreamBaseUrl: provider.baseUrl, requestLog: logs.of(SESSION, 'full') }))
  expect((await postMessages(gateway.baseUrl, messagesBody())).status).toBe(200)
  await gateway.settled()
  await logs.close()
  expect(faults).toEqual([expect.stringContaining('EEXIST')])
})

test('files older than 30 days are removed when the host starts, others stay', async () => {
  await mkdir(folder())
  const now = Date.UTC(2026, 10, 24)
  for (const [name, days] of [['old.jsonl', 31], ['new.jsonl', 29]] as const) {
    await writeFile(join(folder(), name), '{}\n')
    const at = new Date(now - days * 86_400_000)
    await utimes(join(folder(), name), at, at)
  }
  await startLogs({ now: () => now }).close()
  expect([existsSync(join(folder(), 'old.jsonl')), existsSync(join(folder(), 'new.jsonl'))]).toEqual([false, true])
})
