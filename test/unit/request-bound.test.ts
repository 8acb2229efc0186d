import { expect, test } from 'vitest'
import { PRICE_TABLE } from '../../shared/domain/price-table.ts'
import { boundRequest } from '../../shared/domain/request-bound.ts'

const MODEL = 'claude-opus-5-5'

test('a bound covers every byte as a token, caching, images and the tax on place', () => {
  const bound = (fields: Record<string, unknown>, bytes = 10_000) =>
    boundRequest({ model: MODEL, max_tokens: 1000, messages: [], ...fields }, bytes, PRICE_TABLE)
  const price = (input: number, perToken: number) => ({
    model: MODEL,
    tokens: { input, output: 1000 },
    microUsd: { input: Math.ceil(input * perToken * 1.1), output: 22_000 },
  })
  const cached = (ttl?: string) => ({
    system: [{ type: 'text', text: '', cache_control: { type: 'ephemeral', ttl } }],
  })
  const image = { role: 'user', content: [{ type: 'image', source: { type: 'base64', data: '' } }] }
  const pdf = { role: 'user', content: [{ type: 'document', source: { type: 'base64', data: '' } }] }
  expect(bound({})).toEqual(price(14_096, 4))
  expect(bound(cached())).toEqual(price(14_096, 5))
  expect(bound(cached('1h'))).toEqual(price(14_096, 8))
  expect(bound({ messages: [image, image] })).toEqual(price(24_096, 4))
  expect(bound({ messages: [pdf] })).toEqual(price(1_000_000, 4))
  expect(bound({}, 5_000_000)).toEqual(price(1_000_000, 4))
  expect(bound({ speed: 'fast' })).toMatchObject({ microUsd: null })
})

test.each([
  { max_tokens: undefined },
  { tools: [{ type: 'web_search_20250305', name: 'web_search', max_uses: 8 }] },
  { mcp_servers: [] },
  { fallbacks: [] },
  { context_management: { edits: [{ type: 'compact_20260112' }] } },
])('what the provider may repeat by itself has no bound: %j', (fields) => {
  expect(boundRequest({ model: MODEL, max_tokens: 1, ...fields } as never, 10, PRICE_TABLE)).toHaveProperty(
    'unbounded',
  )
})

test('tools that run at the client, and clearing old thinking, have a bound', () => {
  const fields = {
    tools: [{ name: 'Read' }, { type: 'custom', name: 'x' }, { type: 'bash_20250124', name: 'bash' }],
    context_management: { edits: [{ type: 'clear_thinking_20251015' }] },
  }
  expect(boundRequest({ model: MODEL, max_tokens: 1, ...fields }, 10, PRICE_TABLE)).not.toHaveProperty(
    'unbounded',
  )
})
