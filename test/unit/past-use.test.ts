import { expect, it } from 'vitest'
import { createPastUseReader } from '../../shared/domain/onboarding/past-use.ts'
import { PRICE_TABLE } from '../../shared/domain/price-table.ts'

const CWD = '/home/ann/web'
/** The shape Claude Code 2.1.330 writes. */
const line = (at: { id: string; session?: string; cwd?: string; model?: string; output?: number; content: object[] }): string =>
  JSON.stringify({
    parentUuid: 'd6c6dc09', isSidechain: false, type: 'assistant', timestamp: '2026-11-23T11:55:49.506Z', cwd: at.cwd ?? CWD, sessionId: at.session ?? 's1', version: '2.1.330',
    message: {
      id: at.id, type: 'message', role: 'assistant', model: at.model ?? 'claude-opus-4-1', content: at.content, stop_reason: 'tool_use',
      usage: { input_tokens: 1_000_000, output_tokens: at.output ?? 0, cache_creation_input_tokens: 0, cache_read_input_tokens: 0, service_tier: 'standard', inference_geo: '', iterations: [], speed: 'standard' },
    },
  })
const call = (id: string, name: string) => ({ type: 'tool_use', id, name, input: {} })
const read = (...lines: string[]) => {
  const reader = createPastUseReader({ cwd: CWD, prices: PRICE_TABLE })
  lines.forEach(reader.add)
  return reader.result()
}

it('counts each call once, though a message is written once for each block of it and again on resume', () => {
  const use = read(
    line({ id: 'm1', content: [{ type: 'text', text: 'I look.' }] }),
    line({ id: 'm1', content: [call('t1', 'Read')] }),
    line({ id: 'm1', content: [call('t1', 'Read'), call('t2', 'mcp__db__query')] }),
  )
  expect(use).toEqual({ sessions: 1, tools: { Read: 1, mcp__db__query: 1 }, dearestMicroUsd: 15_000_000 })
})

it('takes the last usage of a message, and the dearest of the sessions', () => {
  const use = read(
    line({ id: 'm1', output: 1, content: [] }),
    line({ id: 'm1', output: 100_000, content: [] }),
    line({ id: 'm2', session: 's2', content: [] }),
    line({ id: 'm3', session: 's2', content: [] }),
  )
  expect(use).toEqual({ sessions: 2, tools: {}, dearestMicroUsd: 30_000_000 })
})

it('prices no session in which a model has no known price', () => {
  expect(read(line({ id: 'm1', content: [] }), line({ id: 'm2', model: 'a-model-of-tomorrow', content: [] })).dearestMicroUsd).toBeNull()
})

it('passes over what is of another folder, what is broken, and what is no answer', () => {
  expect(read(line({ id: 'm1', cwd: '/home/ann/other', content: [call('t1', 'Read')] }), '{"type":"assistant"', '{"type":"user","cwd":"/home/ann/web"}', '', 'null'))
    .toEqual({ sessions: 0, tools: {}, dearestMicroUsd: null })
})
