import { expect, it } from 'vitest'
import { createAlarms } from '../../shared/core/supervisor/alarms.ts'
import { createMemoryLedger, ids, SESSION } from '../support/fakes.ts'

const setUp = () => {
  const ledger = createMemoryLedger()
  const logged: string[] = []
  const paused: string[] = []
  let told = 0
  const alarms = createAlarms({
    ledger,
    publish: () => void (told += 1),
    pause: (sessionId, rule, reason) => void paused.push(`${sessionId} ${rule} ${reason}`),
    log: (line) => void logged.push(line),
  })
  return { alarms, ledger, logged, paused, told: () => told }
}

it('lists a hundred alarms of one session, says once that further ones are not listed, and keeps room for others', () => {
  const { alarms, ledger, told } = setUp()
  for (let i = 0; i < 1_000; i += 1) alarms.raise(SESSION, `alarm ${i}`)
  expect(ledger.entries).toHaveLength(100)
  expect(told()).toBe(100)
  expect(ledger.entries[98]?.body['message']).toBe('alarm 98')
  expect(ledger.entries[99]?.body['message']).toBe('alarm 99 (That is the 100th alarm of this session: further ones are not listed.)')
  alarms.raise(ids.session(), 'another session')
  alarms.raise(null, 'the host')
  expect(ledger.entries).toHaveLength(102)
})

it('never throws, and records no more of a message than a person reads', () => {
  const { alarms, ledger, logged, told } = setUp()
  alarms.raise(null, 'x'.repeat(1_000_000))
  expect(String(ledger.entries[0]?.body['message'])).toHaveLength(4_096)
  ledger.failFrom = 1
  alarms.raise(SESSION, 'the disk')
  expect(told()).toBe(2)
  expect(logged).toHaveLength(1)
})

it('asks for a pause where a rule raised it, of one session or of all, also past what is listed', () => {
  const { alarms, ledger, paused } = setUp()
  alarms.raise(SESSION, 'no rule')
  alarms.raise(SESSION, 'too many denials', 'denials')
  alarms.raise(null, 'it does not verify', 'verify')
  expect(paused).toEqual([`${SESSION} denials too many denials`, 'null verify it does not verify'])
  for (let i = 0; i < 200; i += 1) alarms.raise(SESSION, 'again', 'repeat')
  expect(paused).toHaveLength(202)
  expect(ledger.entries).toHaveLength(101)
})
