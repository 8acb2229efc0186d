import { expect, test } from 'vitest'
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
