import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { expect, test } from 'vitest'
import { HoldfastError } from '../../shared/contract/errors.ts'
import { messagesBody, postMessages, startGateway, startRawProvider } from './gateway-fixture.ts'
import { closing, startBoth, STREAM, wire } from './gateway-harness.ts'

test('an error of the provider is passed on as it is and takes nothing from the cap', async () => {
  const error = { status: 529, type: 'overloaded_error', message: 'Overloaded' }
  const { gateway } = await startBoth({ script: () => ({ error }), caps: { microUsd: 21_000, tokens: null } })
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const answer = await postMessages(gateway.baseUrl, messagesBody())
    expect(answer.status).toBe(529)
    expect(await answer.json()).toEqual({
      type: 'error',
      error: { type: 'overloaded_error', message: 'Overloaded' },
    })
  }
  expect(gateway.meter.usage().requests).toBe(0)
})

test('a provider that cannot be reached is answered 502 with nothing of the address or the key', async () => {
  const gone = await startRawProvider(() => {})
  await gone.close()
  const gateway = closing(
    await startGateway({ upstreamBaseUrl: gone.baseUrl.replace('http://', 'http://user:secret@') }),
  )
  const answer = await postMessages(gateway.baseUrl, messagesBody())
  expect([answer.status, answer.headers.get('x-should-retry')]).toEqual([502, 'true'])
  expect(await answer.json()).toEqual({
    type: 'error',
    error: { type: 'api_error', message: 'The model provider cannot be reached (ECONNREFUSED).' },
  })
  expect(gateway.entries[1]?.body).toMatchObject({ httpStatus: null, ended: 'free' })
})

test.each([
  ['model-request/intent', 503],
  ['model-request/outcome', null],
] as const)('when the ledger fails at %s the agent is never told that all is well', async (kind, status) => {
  const { model, gateway } = await startBoth()
  gateway.faults.add(kind)
  if (status === null) {
    await expect(
      postMessages(gateway.baseUrl, messagesBody()).then((answer) => answer.text()),
    ).rejects.toThrow(/terminated|fetch failed/)
    return
  }
  const answer = await postMessages(gateway.baseUrl, messagesBody())
  expect([answer.status, answer.headers.get('x-should-retry')]).toEqual([503, 'false'])
  expect(await answer.text()).toContain('The audit log cannot be written. Free the disk.')
  expect(model.requests).toEqual([])
})

test('of a request whose entry may not be on disk, nothing of the answer reaches the agent, and its input counts as used', async () => {
  const { model, gateway } = await startBoth()
  gateway.lost.add('model-request/intent')
  const answer = await postMessages(gateway.baseUrl, messagesBody())
  expect([answer.status, answer.headers.get('x-should-retry')]).toEqual([503, 'false'])
  const text = await answer.text()
  expect(text).toContain('The disk is full. Free some of it.')
  expect(text).not.toContain('message_start')
  await gateway.settled()
  expect(model.requests).toHaveLength(1)
  expect(gateway.meter.own.total.charged).toMatchObject({ requests: 1, tokens: expect.toSatisfy((tokens: number) => tokens > 4_000) })
})

test('without the keychain a request is refused with its reason and never sent', async () => {
  const locked = new HoldfastError('secret-unavailable', 'The keyring is locked. Unlock it and try again.')
  const { model, gateway } = await startBoth({ resolveKey: () => Promise.reject(locked) })
  const answer = await postMessages(gateway.baseUrl, messagesBody())
  expect([answer.status, answer.headers.get('x-should-retry')]).toEqual([503, 'false'])
  expect(await answer.text()).toContain('The keyring is locked.')
  expect(model.requests).toEqual([])
})

test.each(['', 'null', '{"model":5}', '{"model":"m","max_tokens":"many"}', '{"model":"m"'])(
  'a body that is no request is refused: %j',
  async (body) => {
    const { model, gateway } = await startBoth()
    expect((await postMessages(gateway.baseUrl, body)).status).toBe(400)
    expect(model.requests).toEqual([])
  },
)

test('a body above 64 MB is refused with 413, announced or not', async () => {
  const { model, gateway } = await startBoth()
  const send = (headers: Record<string, string>) =>
    new Promise((resolve, reject) => {
      const sent = httpRequest(`${gateway.baseUrl}/v1/messages`, { method: 'POST', headers }, (answer) => {
        resolve(answer.statusCode)
        sent.destroy()
      })
      sent.on('error', reject)
      const piece = Buffer.alloc(1024 * 1024, 32)
      const more = (left: number): void => {
        if (left > 0 && !sent.destroyed) sent.write(piece, () => more(left - 1))
      }
      more(66)
    })
  expect(await send({ 'content-length': String(66 * 1024 * 1024) })).toBe(413)
  expect(await send({ 'transfer-encoding': 'chunked' })).toBe(413)
  expect(model.requests).toEqual([])
})

test('when the agent goes, the provider’s connection is closed and what was seen is metered', async () => {
  const closed = Promise.withResolvers<void>()
  const provider = closing(
    await startRawProvider((request, response) => {
      request.resume()
      response.on('close', () => closed.resolve())
      response.setHeader('content-type', 'text/event-stream')
      response.write(wire(STREAM.slice(0, 2)))
    }),
  )
  const gateway = closing(await startGateway({ upstreamBaseUrl: provider.baseUrl }))
  const abort = new AbortController()
  const answer = await postMessages(gateway.baseUrl, messagesBody(), { signal: abort.signal })
  await answer.body?.getReader().read()
  abort.abort()
  await closed.promise
  await gateway.settled()
  expect(gateway.meter.usage().tokens).toMatchObject({ input: 9, output: 1 })
  expect(gateway.entries[1]?.body).toMatchObject({ ended: 'cut', stopReason: null })
})

test('when the agent goes before any answer, the provider’s connection is closed and the input counts as used', async () => {
  const asked = Promise.withResolvers<void>()
  const closed = Promise.withResolvers<void>()
  const provider = closing(
    await startRawProvider((request, response) => {
      request.resume()
      response.on('close', () => closed.resolve())
      asked.resolve()
    }),
  )
  const gateway = closing(await startGateway({ upstreamBaseUrl: provider.baseUrl }))
  const abort = new AbortController()
  const answer = postMessages(gateway.baseUrl, messagesBody(), { signal: abort.signal })
  await asked.promise
  abort.abort()
  await expect(answer).rejects.toThrow(/abort/)
  await closed.promise
  await gateway.settled()
  expect(gateway.entries[1]?.body).toMatchObject({ httpStatus: null, ended: 'cut' })
})

test('when the provider breaks off, the agent’s connection breaks too and does not end', async () => {
  const provider = closing(
    await startRawProvider((request, response) => {
      request.resume()
      response.setHeader('content-type', 'text/event-stream')
      response.write(wire(STREAM.slice(0, 2)), () => response.destroy())
    }),
  )
  const gateway = closing(await startGateway({ upstreamBaseUrl: provider.baseUrl }))
  const answer = await postMessages(gateway.baseUrl, messagesBody())
  await expect(answer.text()).rejects.toThrow(/terminated|fetch failed/)
  await gateway.settled()
  expect(gateway.entries[1]?.body).toMatchObject({ ended: 'cut' })
})

test('closing the gateway breaks off what is in flight', async () => {
  const provider = closing(
    await startRawProvider((request, response) => {
      request.resume()
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(wire(STREAM.slice(0, 1)))
    }),
  )
  const gateway = closing(await startGateway({ upstreamBaseUrl: provider.baseUrl }))
  const answer = await postMessages(gateway.baseUrl, messagesBody())
  gateway.gateway.close()
  await expect(answer.text()).rejects.toThrow(/terminated|fetch failed/)
  await gateway.settled()
})

test('a slow reader holds the provider back and not the bytes in memory', async () => {
  const total = 64 * 1024 * 1024
  const sent = { bytes: 0, done: false }
  const stalled = Promise.withResolvers<void>()
  const provider = closing(
    await startRawProvider(async (request, response) => {
      request.resume()
      response.setHeader('content-type', 'text/event-stream')
      const chunk = Buffer.alloc(1024 * 1024, ': padding\n\n')
      const gone = once(response, 'close')
      while (sent.bytes < total && !response.destroyed) {
        sent.bytes += chunk.length
        if (!response.write(chunk)) {
          const wait = Promise.race([once(response, 'drain'), gone])
          const isStalled = await Promise.race([
            wait,
            new Promise((resolve) => setTimeout(() => resolve('stalled'), 300)),
          ])
          if (isStalled === 'stalled') stalled.resolve()
          await wait
        }
      }
      sent.done = true
      stalled.resolve()
      response.end()
    }),
  )
  const gateway = closing(await startGateway({ upstreamBaseUrl: provider.baseUrl }))
  await new Promise<void>((resolve) => {
    const request = httpRequest(`${gateway.baseUrl}/v1/messages`, { method: 'POST' }, (answer) => {
      answer.pause()
      resolve()
    })
    closing({ close: () => request.destroy() })
    request.on('error', () => {})
    request.end(messagesBody())
  })
  await stalled.promise
  expect(sent.done).toBe(false)
  expect(sent.bytes).toBeLessThan(total / 2)
})
