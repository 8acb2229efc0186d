import { expect, test } from 'vitest'
import { createTurns, EVERYWHERE } from '../../shared/core/checkpoints/turns.ts'

const setup = () => {
  const log: string[] = []
  let isOthers = false
  const lock = {
    acquire: () => (log.push('lock'), Promise.resolve(isOthers)),
    release: () => void log.push('release'),
  }
  const inTurn = createTurns(lock, () => void log.push('forget'))
  const work = (name: string, folders: readonly string[]) => {
    const gate = Promise.withResolvers<void>()
    const began = Promise.withResolvers<void>()
    const done = inTurn(folders, async () => {
      log.push(name)
      began.resolve()
      await gate.promise
    })
    return { began: began.promise, end: () => (gate.resolve(), done) }
  }
  return { log, work, inTurn, othersWork: () => void (isOthers = true) }
}

test('work on other folders waits for none, work on the same, or on one around it, waits its turn, under one lock', async () => {
  const { log, work } = setup()
  const first = work('a', ['/a'])
  const around = work('all', EVERYWHERE)
  const inner = work('inner', ['/a/inner'])
  await first.began
  const other = work('b', ['/b'])
  expect(log).toEqual(['lock', 'a'])
  await first.end()
  await around.began
  expect(log).toEqual(['lock', 'a', 'release', 'lock', 'all'])
  await around.end()
  await Promise.all([inner.began, other.began])
  await Promise.all([inner.end(), other.end()])
  expect(log.slice(5)).toEqual(['release', 'lock', 'inner', 'b', 'release'])
})

test('two that share no folder run at the same time', async () => {
  const { log, work } = setup()
  const one = work('a', ['/a'])
  const two = work('b', ['/b', '/c'])
  await Promise.all([one.began, two.began])
  await one.end()
  expect(log).toEqual(['lock', 'a', 'b'])
  await two.end()
  expect(log.at(-1)).toBe('release')
})

test('what is in memory is forgotten after another process was at work, and a failure lets the lock go', async () => {
  const { log, inTurn, othersWork } = setup()
  othersWork()
  await expect(inTurn(['/a'], () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(log).toEqual(['lock', 'forget', 'release'])
})
