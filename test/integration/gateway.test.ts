import { request as httpRequest } from 'node:http'
import { text } from 'node:stream/consumers'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { createBrotliCompress, createGzip } from 'node:zlib'
import { expect, test } from 'vitest'
import { scriptedTurns, startStandInModel } from '../../shared/core/demo/stand-in-model.ts'
import { messagesBody, postMessages, startGateway, startRawProvider } from './gateway-fixture.ts'
import { closing, startBoth, KEY, STREAM, wire } from './gateway-harness.ts'

test('a streamed answer arrives byte for byte, its usage is metered and both entries are in the ledger', async () => {
  const { model, gateway } = await startBoth()
  const direct = await (
    await postMessages(model.baseUrl, messagesBody(), { headers: { 'x-api-key': KEY } })
  ).text()
  const through = await (await postMessages(gateway.baseUrl, messagesBody())).text()
  await gateway.settled()
  expect(through.replaceAll(/msg_\w+/g, 'ID')).toBe(direct.replaceAll(/msg_\w+/g, 'ID'))
  expect(gateway.meter.usage()).toMatchObject({
    billing: 'api-key',
    requests: 1,
    byModel: [{ model: 'claude-sonnet-5-5' }],
  })
  expect(gateway.usages.at(-1)).toEqual(gateway.meter.usage())
  expect(gateway.entries.map(({ kind }) => kind)).toEqual(['model-request/intent', 'model-request/outcome'])
  expect(gateway.entries[1]?.body).toMatchObject({
    intent: 1,
    httpStatus: 200,
    ended: 'whole',
    model: 'claude-sonnet-5-5',
    stopReason: 'end_turn',
    tokens: gateway.meter.usage().tokens,
    costMicroUsd: gateway.meter.usage().costMicroUsd,
    priceSource: expect.stringMatching(/@\d+\.\d+\.\d+ \(20\d\d-\d\d-\d\d\)$/),
  })
  expect(JSON.stringify(gateway.entries)).not.toContain(KEY)
})

test.each(['\n', '\r\n'])(
  'every event, known or not, passes unchanged one byte at a time, lines ended by %j',
  async (end) => {
    const bytes = wire(STREAM, end)
    const provider = closing(
      await startRawProvider(async (request, response) => {
        request.resume()
        response.setHeader('content-type', 'text/event-stream')
        for (const byte of bytes) {
          response.write(Uint8Array.of(byte))
          await nextTurn()
        }
        response.end()
      }),
    )
    const gateway = closing(await startGateway({ upstreamBaseUrl: provider.baseUrl }))
    const answer = await postMessages(gateway.baseUrl, messagesBody())
    expect(Buffer.from(await answer.arrayBuffer()).equals(bytes)).toBe(true)
    expect(gateway.meter.usage().tokens).toMatchObject({ input: 9, output: 7 })
  },
)

test('the request body reaches the provider byte for byte, odd spacing and unknown fields included', async () => {
  const seen: { body: Buffer; headers: unknown }[] = []
  const provider = closing(
    await startRawProvider(async (request, response) => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk as Buffer)
      seen.push({ body: Buffer.concat(chunks), headers: request.headers })
      response.end('{}')
    }),
  )
  const gateway = closing(await startGateway({ upstreamBaseUrl: `${provider.baseUrl}/base/` }))
  const body =
    '{ "model":\t"claude-sonnet-5-5",  "max_tokens": 5, "messages":[], "ünknown": "\\u00e9 ✓", "n": 1.0e2 }\n'
  await postMessages(gateway.baseUrl, body)
  expect(seen[0]?.body.toString()).toBe(body)
})

test('the provider gets the key and who asks, signed, and neither the agent’s credential, its cookies nor its hop-by-hop headers', async () => {
  const { model, gateway } = await startBoth()
  const headers = {
    authorization: 'Bearer session-token',
    'x-api-key': 'agents-own',
    cookie: 'a=b',
    'x-forwarded-for': '10.0.0.1',
    'accept-encoding': 'gzip, br',
    'anthropic-beta': 'one,two',
    'x-holdfast-token': 'a.forged.token',
  }
  await (await postMessages(gateway.baseUrl, messagesBody(), { headers })).text()
  const [got] = model.requests
  expect(got?.headers).toMatchObject({
    'x-api-key': KEY,
    'accept-encoding': 'identity',
    'anthropic-beta': 'one,two',
    'x-holdfast-agent': 'agt_222222222222',
    'x-holdfast-token': 'a.signed.token',
  })
  expect(Object.keys(got?.headers ?? {})).not.toEqual(expect.arrayContaining(['authorization']))
  for (const name of ['authorization', 'cookie', 'x-forwarded-for'])
    expect(got?.headers).not.toHaveProperty(name)
})

test('without a key the agent’s own bearer is passed on, and usage is labelled subscription', async () => {
  const model = closing(await startStandInModel({ script: scriptedTurns([]), expectKey: 'sk-ant-oat01-own' }))
  const gateway = closing(
    await startGateway({ upstreamBaseUrl: model.baseUrl, resolveKey: async () => null }),
  )
  const headers = { authorization: 'Bearer sk-ant-oat01-own', 'x-api-key': 'not-this' }
  const answer = await postMessages(gateway.baseUrl, messagesBody(), { headers })
  await answer.text()
  expect(answer.status).toBe(200)
  expect(model.requests[0]?.headers).not.toHaveProperty('x-api-key')
  expect(gateway.meter.usage()).toMatchObject({ billing: 'subscription', requests: 1 })
  expect(JSON.stringify(gateway.entries)).not.toContain('sk-ant')
})

test('a stored subscription token goes out as a bearer', async () => {
  const model = closing(
    await startStandInModel({ script: scriptedTurns([]), expectKey: 'sk-ant-oat01-stored' }),
  )
  const gateway = closing(
    await startGateway({ upstreamBaseUrl: model.baseUrl, resolveKey: async () => 'sk-ant-oat01-stored' }),
  )
  await (await postMessages(gateway.baseUrl, messagesBody())).text()
  expect(model.requests[0]?.headers).toMatchObject({ authorization: 'Bearer sk-ant-oat01-stored' })
  expect(gateway.meter.usage().billing).toBe('subscription')
})

test('only model requests pass: anything else is answered 404 and never sent', async () => {
  const { model, gateway } = await startBoth()
  const tries = [
    ['POST', '/v1/messages/batches'],
    ['GET', '/v1/messages'],
    ['POST', '/v1/files'],
    ['POST', '/api/event_logging/batch'],
    ['GET', '/v1/models/../files'],
    ['GET', '/v1/models/%2e%2e/files'],
    ['POST', '//v1/messages'],
    ['DELETE', '/v1/messages'],
  ] as const
  for (const [method, path] of tries) {
    const status = await new Promise((resolve) => {
      httpRequest(gateway.baseUrl, { method, path }, (answer) => resolve(answer.resume().statusCode)).end()
    })
    expect(status, `${method} ${path}`).toBe(404)
  }
  expect(model.requests).toEqual([])
  expect((await fetch(gateway.baseUrl, { method: 'HEAD' })).status).toBe(200)
  expect(
    ((await (await fetch(`${gateway.baseUrl}/v1/models?limit=5`)).json()) as { data: unknown[] }).data,
  ).toHaveLength(3)
})

test('an answer that is not streamed is metered too', async () => {
  const { model, gateway } = await startBoth()
  const answer = await postMessages(gateway.baseUrl, messagesBody({ stream: false }))
  expect(await answer.json()).toMatchObject({ content: [{ type: 'text', text: 'Hello ✓' }] })
  expect(gateway.meter.usage().tokens).toEqual(model.usage()['claude-sonnet-5-5']?.tokens)
})

test.each([
  ['gzip', createGzip],
  ['br', createBrotliCompress],
] as const)(
  'an answer that comes as %s although not asked for passes as it is and is metered',
  async (coding, create) => {
    const provider = closing(
      await startRawProvider((request, response) => {
        request.resume()
        response.writeHead(200, { 'content-type': 'text/event-stream', 'content-encoding': coding })
        const encoder = create()
        encoder.pipe(response)
        encoder.end(wire(STREAM))
      }),
    )
    const gateway = closing(await startGateway({ upstreamBaseUrl: provider.baseUrl }))
    const answer = await postMessages(gateway.baseUrl, messagesBody())
    expect(await answer.text()).toBe(wire(STREAM).toString())
    expect(gateway.entries[1]?.body).toMatchObject({ ended: 'whole', tokens: { input: 9, output: 7 } })
  },
)

test('a request above its rate leaves this machine not before its time, and not at all when that is too far away', async () => {
  let forwarded = 0
  const provider = closing(
    await startRawProvider((request, response) => {
      forwarded += 1
      request.resume()
      response.setHeader('content-type', 'text/event-stream').end(wire(STREAM, '\n'))
    }),
  )
  const turn = Promise.withResolvers<string | null>()
  const asked = Promise.withResolvers<void>()
  const admit = () => {
    asked.resolve()
    return turn.promise
  }
  const gateway = closing(await startGateway({ upstreamBaseUrl: provider.baseUrl, admit }))
  const waiting = postMessages(gateway.baseUrl, messagesBody())
  await asked.promise
  expect(forwarded).toBe(0)
  turn.resolve(null)
  expect((await waiting).status).toBe(200)

  const full = closing(await startGateway({ upstreamBaseUrl: provider.baseUrl, admit: () => Promise.resolve('the limit is 1 model requests a minute.') }))
  const refused = await postMessages(full.baseUrl, messagesBody())
  expect(refused.status).toBe(429)
  expect(await refused.json()).toMatchObject({ error: { type: 'rate_limit_error', message: 'Held back by Holdfast: the limit is 1 model requests a minute.' } })
  expect(forwarded).toBe(1)
})

test.each([
  ['/v1/messages', '{ "model":"claude-sonnet-5-5", "max_tokens":1e1,\n"messages":[ ] }', '"metadata":{"user_id":"agt_222222222222"}'],
  ['/v1/chat/completions', '{ "model":"gpt-5",\n"messages":[ ] }', '"safety_identifier":"agt_222222222222"'],
  ['/v1/responses', '{ "model":"gpt-5",\n"input":[ ] }', '"safety_identifier":"agt_222222222222"'],
])('where the profile says so, a request to %s names the agent in its own field, unless the agent filled it, and stays as it was otherwise, to the byte', async (path, body, field) => {
  const seen: string[] = []
  const provider = closing(
    await startRawProvider(async (request, response) => {
      seen.push(await text(request))
      response.end('{}')
    }),
  )
  const naming = closing(await startGateway({ upstreamBaseUrl: provider.baseUrl, namesAgent: true }))
  const silent = closing(await startGateway({ upstreamBaseUrl: provider.baseUrl }))
  const filled = `{${field.replace('agt_222222222222', 'mine')},${body.slice(1)}`
  for (const [{ baseUrl }, given] of [[silent, body], [naming, body], [naming, filled]] as const) {
    const answer = await fetch(`${baseUrl}${path}`, { method: 'POST', body: given, headers: { 'content-type': 'application/json' } })
    expect([answer.status, await answer.text()]).toEqual([200, '{}'])
  }
  expect(seen).toEqual([body, `{${field},${body.slice(1)}`, filled])
})
