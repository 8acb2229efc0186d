import { expect, test } from 'vitest'
import { withOwnPrices } from '../../shared/domain/price.ts'
import { PRICE_TABLE } from '../../shared/domain/price-table.ts'
import { messagesBody, postMessages } from './gateway-fixture.ts'
import { startBoth } from './gateway-harness.ts'

test('counting tokens costs nothing and needs no room under a cap', async () => {
  const { gateway } = await startBoth({ caps: { microUsd: 0, tokens: 0 } })
  const answer = await fetch(`${gateway.baseUrl}/v1/messages/count_tokens`, {
    method: 'POST',
    body: messagesBody(),
  })
  expect(await answer.json()).toHaveProperty('input_tokens')
  expect(gateway.meter.usage()).toMatchObject({ requests: 0, costMicroUsd: 0 })
})

test('past the spend cap a request is refused with 402 before it leaves, and the host is told', async () => {
  const { model, gateway } = await startBoth({ caps: { microUsd: 1000, tokens: null } })
  const answer = await postMessages(gateway.baseUrl, messagesBody())
  expect([answer.status, answer.headers.get('x-should-retry')]).toEqual([402, 'false'])
  const { error } = (await answer.json()) as { error: { type: string; message: string } }
  expect(error.type).toBe('billing_error')
  expect(error.message).toMatch(
    /^Holdfast stopped here: the next model request could cost up to \$0\.02\d+, and \$0\.001 of/,
  )
  expect(gateway.capMessages).toEqual([error.message])
  expect([model.requests, gateway.entries]).toEqual([[], []])
})

test('eight at once that may each cost most of the cap take turns, and the cap holds', async () => {
  const tokens = { input: 0, output: 100, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0 }
  const { gateway } = await startBoth({
    script: () => ({ content: [], usage: tokens }),
    caps: { microUsd: 25_000, tokens: null },
  })
  const answers = await Promise.all(
    Array.from({ length: 8 }, () => postMessages(gateway.baseUrl, messagesBody())),
  )
  await Promise.all(answers.map((answer) => answer.text()))
  expect(answers.filter(({ status }) => status === 200).length).toBe(5)
  expect(answers.filter(({ status }) => status === 402).length).toBe(3)
  expect(gateway.meter.usage()).toMatchObject({ requests: 5, costMicroUsd: 5000 })
})

test('a search that the provider runs by itself is refused under a cap without ending the session', async () => {
  const { model, gateway } = await startBoth({ caps: { microUsd: 1e9, tokens: null } })
  const answer = await postMessages(
    gateway.baseUrl,
    messagesBody({ tools: [{ type: 'web_search_20250305', name: 'web_search' }] }),
  )
  expect([answer.status, answer.headers.get('x-should-retry'), gateway.capMessages]).toEqual([
    400,
    'false',
    [],
  ])
  expect(model.requests).toEqual([])
})

test('a request that waits at its cap goes on, and not before, once the cap is raised; what was said so far is not lost', async () => {
  const stopped = Promise.withResolvers<void>()
  const answered = Promise.withResolvers<boolean>()
  const { model, gateway } = await startBoth({
    caps: { microUsd: 1000, tokens: null },
    onCapReached: ({ cap }) => {
      stopped.resolve()
      return answered.promise.then((yes) => {
        if (yes) cap?.account.setCaps({ microUsd: 1_000_000, tokens: null })
        return yes
      })
    },
  })
  const waiting = postMessages(gateway.baseUrl, messagesBody())
  await stopped.promise
  expect(model.requests).toEqual([])
  answered.resolve(true)
  expect((await waiting).status).toBe(200)
})

test('after a refusal with 402 the next request goes once the cap was raised', async () => {
  const { gateway } = await startBoth({ caps: { microUsd: 1000, tokens: null } })
  expect((await postMessages(gateway.baseUrl, messagesBody())).status).toBe(402)
  gateway.meter.own.setCaps({ microUsd: 1_000_000, tokens: null })
  expect((await postMessages(gateway.baseUrl, messagesBody())).status).toBe(200)
})

test('what each request was charged stands in the ledger with its agent and project, and a nearly used cap is told of once', async () => {
  const tokens = { input: 0, output: 1000, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0 }
  const { gateway } = await startBoth({ script: () => ({ content: [], usage: tokens }), caps: { microUsd: 62_000, tokens: null } })
  for (let turn = 0; turn < 3; turn += 1) await (await postMessages(gateway.baseUrl, messagesBody())).text()
  await gateway.settled()
  const charged = gateway.entries.filter(({ kind }) => kind === 'model-request/outcome').map(({ body }) => [body['agent'], body['project'], (body['charged'] as { microUsd: number }).microUsd])
  expect(charged).toEqual(Array.from({ length: 3 }, () => ['claude-test', '/project', 10_000]))
  expect(gateway.warnings).toEqual([])
  for (let turn = 0; turn < 2; turn += 1) await (await postMessages(gateway.baseUrl, messagesBody())).text()
  await gateway.settled()
  expect(gateway.warnings).toEqual(["$0.05 of this session's $0.062 spend cap is used."])
})

test("under a spend cap a model without a price is refused; with the user's own it passes, is counted by that, and the books say whose price it is", async () => {
  const caps = { microUsd: 1_000_000, tokens: null }
  const without = await startBoth({ caps })
  expect((await postMessages(without.gateway.baseUrl, messagesBody({ model: 'local-model' }))).status).toBe(402)
  const { gateway } = await startBoth({ caps, priceTable: withOwnPrices(PRICE_TABLE, { 'local-model': { input: 2, output: 2 } }) })
  const answer = await postMessages(gateway.baseUrl, messagesBody({ model: 'local-model' }))
  expect([answer.status, (await answer.text()).length > 0]).toEqual([200, true])
  await gateway.settled()
  const { tokens, costMicroUsd } = gateway.meter.usage()
  expect(costMicroUsd).toBe(2 * (tokens.input + tokens.output + tokens.cacheRead + tokens.cacheWrite5m + tokens.cacheWrite1h))
  expect(gateway.entries.at(-1)?.body).toMatchObject({ model: 'local-model', costMicroUsd, priceSource: 'your price' })
})
