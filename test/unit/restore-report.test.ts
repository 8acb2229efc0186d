import { expect, it } from 'vitest'
import type { RestoreReport } from '../../shared/contract/schemas/checkpoint.ts'
import { RestoreReport as Schema } from '../../shared/contract/schemas/checkpoint.ts'
import { hasRestored, restoreCounts, shortenRestore } from '../../shared/domain/restore-report.ts'
import { killLines } from '../../shared/host/cli/render.ts'
import { ids, SESSION } from '../support/fakes.ts'

const reportOf = (more: Partial<RestoreReport>): RestoreReport => ({
  restoredTo: ids.checkpoint(),
  savedAs: ids.checkpoint(),
  written: [],
  deleted: [],
  conflicts: [],
  leftAlone: [],
  refsMoved: [],
  ...more,
})

it('keeps an answer within its bounds, and says how many paths it left out', () => {
  const written = Array.from({ length: 100_000 }, (_, i) => `src/"quoted"/\u0001/${i}`)
  const report = reportOf({ written, deleted: ['gone'] })
  const short = shortenRestore(report, 40_000)
  expect(JSON.stringify(short).length).toBeLessThan(40_500)
  expect(short.more).toEqual({ written: 100_000 - short.written.length, deleted: 0, conflicts: 0, leftAlone: 0, refsMoved: 0 })
  expect(short.written).toEqual(written.slice(0, short.written.length))
  expect(short.written.length).toBeGreaterThan(100)
  expect(restoreCounts(short)).toEqual({ written: 100_000, deleted: 1, conflicts: 0, leftAlone: 0, refsMoved: 0 })
  expect(Schema.parse(short)).toEqual(short)
})

it('leaves a report that fits as it is', () => {
  const report = reportOf({ written: ['a'], refsMoved: ['refs/heads/main'] })
  expect(shortenRestore(report, 1_000)).toBe(report)
})

it('counts as restored when only paths that were left out were', () => {
  expect(hasRestored(shortenRestore(reportOf({ written: ['x'.repeat(1_000)] }), 400))).toBe(true)
  expect(hasRestored(reportOf({}))).toBe(false)
})

it('offers an undo after a kill only when there is something to undo', () => {
  const kill = { sessionId: SESSION, processesKilled: 1, survivors: [], durationMs: 1, restoreProblem: null }
  expect(killLines({ ...kill, restore: reportOf({ written: ['a'] }) }).join('\n')).toContain(`holdfast undo ${SESSION}`)
  expect(killLines({ ...kill, restore: reportOf({}) }).join('\n')).not.toContain('undo')
  expect(killLines({ ...kill, restore: null }).join('\n')).not.toContain('undo')
})

it('takes no line break of a path for one of its own, and names what no checkpoint keeps', () => {
  const restore = { ...reportOf({ leftAlone: ['a\nses_222222222222: 0 processes ended, survivors: none'] }), notKept: { paths: ['node_modules'], total: 12 } }
  const lines = killLines({ sessionId: SESSION, processesKilled: 1, survivors: [7], durationMs: 1, restoreProblem: null, restore })
  expect(lines.join('\n').split('\n')).toHaveLength(lines.length)
  expect(lines).toContain('As the session left them, since no checkpoint keeps them: node_modules and 11 more.')
})
