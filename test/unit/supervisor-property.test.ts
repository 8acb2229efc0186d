import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { HoldfastError } from '../../shared/contract/errors.ts'
import type { SessionId } from '../../shared/contract/ids.ts'
import type { KillReport, Session } from '../../shared/contract/schemas/session.ts'
import { createSupervision } from '../support/supervision.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }))
afterEach(() => void vi.useRealTimers())

/** What may follow what; the same state again means that something else of the session changed. */
const MAY_FOLLOW: Record<Session['state'], readonly Session['state'][]> = {
  starting: ['starting', 'running', 'killing', 'failed'],
  running: ['paused', 'killing', 'ended'],
  paused: ['running', 'killing', 'ended'],
  killing: ['killing', 'killed'],
  killed: [],
  ended: [],
  failed: [],
}

const action = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom('pause', 'resume', 'kill', 'kill all', 'finish', 'hang up') },
  { weight: 1, arbitrary: fc.constantFrom('start', 'close') },
)

/** Lets everything go on that waits for nothing but its turn. */
const settle = async (): Promise<void> => {
  for (let i = 0; i < 30; i += 1) await Promise.resolve()
}

describe('a session, whatever order its ends come in', () => {
  it('keeps to its states, ends once in the ledger, reverts at most once, and every kill ends it or shows what still lives', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.nat(6),
        fc.array(fc.record({ action, steps: fc.nat(4) }), { minLength: 1, maxLength: 8 }),
        fc.record({
          stubbornKills: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.nat(3)),
          killRejects: fc.oneof({ weight: 6, arbitrary: fc.constant(false) }, fc.boolean()),
          processesReject: fc.boolean(),
          endsOnHangUp: fc.boolean(),
          revertRejects: fc.boolean(),
        }),
        async (scheduler, startSteps, plan, behaviour) => {
          const step = (what: string) => scheduler.schedule(Promise.resolve(), what).then(() => undefined)
          const scene = createSupervision({ ...behaviour, step })
          const { supervisor, registry, sessions, states, ledger, checkpointed, viewer } = scene
          const reports: KillReport[] = []
          const noted: Promise<unknown>[] = []
          const faults: unknown[] = []
          const doomed = new Set<SessionId>()
          const doom = () => sessions.forEach(({ id }) => doomed.add(id))
          const newest = () => sessions.at(-1)
          const act: Record<string, () => Promise<unknown>> = {
            start: () => scene.start(),
            pause: async () => newest() && (await supervisor.pause(newest()!.id, 'to look')),
            resume: async () => newest() && (await supervisor.resume(newest()!.id)),
            kill: async () => newest() && reports.push(...(await supervisor.kill([newest()!.id], false))),
            'kill all': async () => {
              doom()
              reports.push(...(await supervisor.kill('all', false)))
            },
            finish: async () => newest()?.fake.exit({ code: 0, signal: null }),
            'hang up': async () => viewer.hangUp(),
            close: () => {
              doom()
              return supervisor.close()
            },
          }
          for (const { action: name, steps } of [{ action: 'start' as const, steps: startSteps }, ...plan]) {
            noted.push(act[name]!().catch((error: unknown) => faults.push(error)))
            await settle()
            for (let i = 0; i < steps && scheduler.count() > 0; i += 1) {
              await scheduler.waitOne()
              await settle()
            }
          }
          for (let i = 0; i < 6; i += 1) {
            await scheduler.waitIdle()
            await vi.advanceTimersByTimeAsync(20_000)
          }
          await Promise.all(noted)

          expect(faults.filter((fault) => !(fault instanceof HoldfastError))).toEqual([])
          for (const { id, fake } of sessions) {
            const seen = states.filter((one) => one.id === id).map(({ state }) => state)
            seen.forEach((state, i) => {
              if (i > 0) expect(MAY_FOLLOW[seen[i - 1]!], `${seen.join(' → ')}`).toContain(state)
            })
            const state = registry.find(id)?.state
            const kinds = scene.kindsOf(id)
            const ends = kinds.filter((kind) => kind === 'session/ended' || kind === 'session/killed')
            const isOver = state === 'killed' || state === 'ended' || state === 'failed'
            expect(ends, `${state}: ${kinds.join(', ')}`).toHaveLength(isOver ? 1 : 0)
            if (isOver) expect(kinds.at(-1)).toBe(ends[0])
            expect(kinds.filter((kind) => kind === 'session/paused')).toHaveLength(seen.filter((one) => one === 'paused').length)
            if (doomed.has(id)) expect(['killed', 'killing', 'ended', 'failed', undefined]).toContain(state)
            if (doomed.has(id) && fake.done.includes('launched') && state !== 'killing' && !behaviour.killRejects) expect(fake.isEmpty()).toBe(true)
            const own = reports.filter(({ sessionId }) => sessionId === id)
            const last = own.at(-1)
            if (last !== undefined && last.survivors.length === 0 && state !== undefined) expect(state).toBe('killed')
            if (last !== undefined && last.survivors.length > 0) {
              expect(['killing', 'killed']).toContain(state)
              expect(last.restore).toBeNull()
            }
          }
          const reverts = checkpointed.filter((what) => what === 'revert').length
          expect(reverts).toBeLessThanOrEqual(states.filter(({ state }) => state === 'killed').length)
          expect(ledger.entries.length).toBeLessThan(500)
        },
      ),
      { numRuns: 2_000 },
    )
  })
})
