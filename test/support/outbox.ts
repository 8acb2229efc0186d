import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach } from 'vitest'
import { SessionId, ToolCallId } from '../../shared/contract/ids.ts'
import { openLedger } from '../../shared/core/ledger/ledger.ts'
import type { OutboxDeps } from '../../shared/core/ledger/outbox.ts'
import type { Ledger } from '../../shared/core/ports.ts'
import { createClock } from './fakes.ts'

export const SESSION = SessionId.parse('ses_222222222222')
export const CALL = ToolCallId.parse('call_222222222222')

/** A ledger for each test of a file, and what sends it out; `closers` run after each. */
export const useOutbox = () => {
  const clock = createClock(1_763_900_000_000)
  const closers: (() => unknown)[] = []
  const place = { folder: '', ledger: null as Ledger | null }
  const ledger = (): Ledger => {
    if (place.ledger === null) throw new Error('there is a ledger within a test alone')
    return place.ledger
  }
  beforeEach(() => {
    place.folder = mkdtempSync(join(tmpdir(), 'holdfast-outbox-'))
    place.ledger = openLedger({ file: join(place.folder, 'ledger.db'), clock })
  })
  afterEach(async () => {
    ledger().close()
    for (const close of closers.splice(0)) await close()
    rmSync(place.folder, { recursive: true, force: true })
  })
  return {
    clock,
    closers,
    ledger,
    folder: (): string => place.folder,
    fill: (count: number): void => {
      for (let n = 0; n < count; n += 1) ledger().append('tool-call/outcome', SESSION, { toolCallId: CALL, tool: 'Bash', ok: true, summary: 'done', durationMs: 1 })
    },
    /** Everything of a sender but where to: waits are over at once. */
    deps: (): Omit<OutboxDeps, 'to' | 'deliver'> => ({
      cursorFile: join(place.folder, 'cursor.json'),
      read: (after) => Promise.resolve(ledger().read({ after, limit: 100 })),
      wait: () => Promise.resolve(),
      tries: 3,
      say: () => undefined,
    }),
  }
}
