import { describe, expect, it } from 'vitest'
import type { SessionId } from '../../shared/contract/ids.ts'
import type { EventData, EventName } from '../../shared/contract/protocol.ts'
import type { Connection } from '../../shared/core/api/dispatcher.ts'
import { createDetachedViewers } from '../../shared/core/supervisor/detached-viewers.ts'

const SESSION = 'ses_bcdfghjkmnpq' as SessionId

/** A window, with what it was sent and its end in the test's hand. */
const createWindow = () => {
  const seen: string[] = []
  const closers: (() => void)[] = []
  const drains: (() => void)[] = []
  const state = { bufferedBytes: 0 }
  const connection = {
    send: <Name extends EventName>(_event: Name, data: EventData<Name>) => void seen.push(Buffer.from((data as { data: string }).data, 'base64').toString()),
    get bufferedBytes() {
      return state.bufferedBytes
    },
    onDrain: (listener: () => void) => void drains.push(listener),
    onClose: (listener: () => void) => void closers.push(listener),
  } as unknown as Connection
  return { connection, seen, state, close: () => closers.forEach((end) => end()), drain: () => drains.forEach((tell) => tell()) }
}

const print = (viewer: ReturnType<ReturnType<typeof createDetachedViewers>['create']>, text: string): void =>
  viewer.send('session/output', { sessionId: SESSION, stream: 'terminal', data: Buffer.from(text).toString('base64') })

describe('a session that was launched from a page', () => {
  it('shows a window what it printed before, and then what it prints', () => {
    const viewers = createDetachedViewers()
    const viewer = viewers.create()
    print(viewer, 'before')
    viewer.named(SESSION)
    const { connection, seen } = createWindow()
    expect(viewers.attach(SESSION, connection).toString()).toBe('before')
    print(viewer, 'after')
    expect(seen).toEqual(['after'])
  })

  it('keeps the newest 256 KiB and no more', () => {
    const viewers = createDetachedViewers()
    const viewer = viewers.create()
    viewer.named(SESSION)
    for (let index = 0; index < 40; index += 1) print(viewer, String(index % 10).repeat(10_000))
    const kept = viewers.attach(SESSION, createWindow().connection)
    expect(kept.length).toBeLessThanOrEqual(256 * 1024)
    expect(kept.length).toBeGreaterThan(240_000)
    expect(kept.toString().endsWith('9'.repeat(10_000))).toBe(true)
  })

  it('waits for the slowest window, and for none that has gone', () => {
    const viewers = createDetachedViewers()
    const viewer = viewers.create()
    viewer.named(SESSION)
    let drained = 0
    viewer.onDrain(() => (drained += 1))
    const slow = createWindow()
    viewers.attach(SESSION, slow.connection)
    slow.state.bufferedBytes = 5_000_000
    expect(viewer.bufferedBytes).toBe(5_000_000)
    slow.close()
    expect(viewer.bufferedBytes).toBe(0)
    expect(drained).toBe(1)
  })

  it('is known as such, and any other is not to be looked into', () => {
    const viewers = createDetachedViewers()
    expect(viewers.has(SESSION)).toBe(false)
    expect(() => viewers.attach(SESSION, createWindow().connection)).toThrow('not launched from a dashboard')
  })

  it('is forgotten once a hundred others came after it', () => {
    const viewers = createDetachedViewers()
    viewers.create().named(SESSION)
    for (let index = 0; index < 100; index += 1) viewers.create().named(`ses_${index}` as SessionId)
    expect(viewers.has(SESSION)).toBe(false)
    expect(viewers.has('ses_0' as SessionId)).toBe(true)
  })
})
