import { expect, test } from 'vitest'
import type { EventData } from '../../shared/contract/protocol.ts'
import { createEventHub } from '../../shared/core/api/event-hub.ts'
import { ids } from '../support/fakes.ts'

test('every event of a session that no container holds says so, and no other event does', () => {
  const [unheld, held] = [ids.session(), ids.session()]
  const hub = createEventHub((sessionId) => sessionId === unheld)
  const said = (frame: string): unknown => (JSON.parse(frame) as { sandbox?: string }).sandbox
  const of = (id: typeof unheld) => [
    hub.frameOf('session/changed', { id, container: 'off' } as EventData<'session/changed'>),
    hub.frameOf('session/output', { sessionId: id, stream: 'stdout', data: '' }),
    hub.frameOf('tool-call/changed', { id: ids.toolCall(), sessionId: id } as EventData<'tool-call/changed'>),
    hub.frameOf('approval/changed', { id: ids.approval(), sessionId: id } as EventData<'approval/changed'>),
    hub.frameOf('ledger/appended', { sessionId: id } as EventData<'ledger/appended'>),
    hub.frameOf('alarm/raised', { sessionId: id, message: '' }),
  ]
  expect(of(unheld).map(said)).toEqual(Array(6).fill('off'))
  expect(of(held).map(said)).toEqual(Array(6).fill(undefined))
  expect(said(hub.frameOf('alarm/raised', { sessionId: null, message: '' }))).toBe(undefined)
})

test('an event is made into a frame once for all who hear it, and not at all for nobody; it counts either way', () => {
  const hub = createEventHub()
  let made = 0
  const event = { sessionId: null, message: '', toJSON: () => ({ made: (made += 1) }) }
  hub.publish('alarm/raised', event)
  expect(made).toBe(0)
  const frames: string[] = []
  for (let i = 0; i < 2; i += 1) expect(hub.subscribe({ sendFrame: (frame) => void frames.push(frame), onClose: () => {} })).toBe(1)
  hub.publish('alarm/raised', event)
  expect(frames).toEqual(Array(2).fill('{"sequence":2,"event":"alarm/raised","data":{"made":1}}'))
})
