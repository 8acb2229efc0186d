import { afterEach } from 'vitest'
import { scriptedTurns, startStandInModel, type Script } from '../../shared/core/demo/stand-in-model.ts'
import { startGateway } from './gateway-fixture.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})
/** Closed after the test that started it. */
export const closing = <Thing extends { close(): unknown }>(thing: Thing): Thing => {
  cleanups.push(() => thing.close())
  return thing
}

const HELLO: Script = scriptedTurns([], 'Hello ✓')
export const KEY = 'sk-ant-api03-canary'

/** A stand-in model and a gateway in front of it. */
export const startBoth = async (
  params: { script?: Script } & Partial<Parameters<typeof startGateway>[0]> = {},
) => {
  const { script = HELLO, ...rest } = params
  const model = closing(await startStandInModel({ script, expectKey: KEY }))
  return { model, gateway: closing(await startGateway({ upstreamBaseUrl: model.baseUrl, ...rest })) }
}

export const STREAM = [
  {
    type: 'message_start',
    message: {
      type: 'message',
      id: 'msg_1',
      model: 'claude-sonnet-5-5',
      usage: { input_tokens: 9, output_tokens: 1 },
    },
  },
  { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Zürich ✓ 👩‍💻' } },
  { type: 'an_event_of_the_future', anything: [1, { new: true }] },
  { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 7 } },
  { type: 'message_stop' },
]
export const wire = (events: readonly Record<string, unknown>[], end = '\n'): Buffer =>
  Buffer.from(
    events.map((data) => `event: ${data['type']}${end}data: ${JSON.stringify(data)}${end}${end}`).join(''),
  )
