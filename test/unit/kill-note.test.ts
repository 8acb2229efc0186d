import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { noteKillOfAll, wasAllKilledSince } from '../../shared/core/supervisor/kill-note.ts'

test('a kill of everything without the host stops what had begun before it, and nothing that begins after', () => {
  const folder = mkdtempSync(join(tmpdir(), 'hf-'))
  expect(wasAllKilledSince(folder, 1_000, 9_000)).toBe(false)
  noteKillOfAll(folder, 5_000)
  expect(wasAllKilledSince(folder, 5_000, 9_000)).toBe(true)
  expect(wasAllKilledSince(folder, 5_001, 9_000)).toBe(false)
  // The clock was set back: no note may keep sessions from starting for ever.
  expect(wasAllKilledSince(folder, 1_000, 4_000)).toBe(false)
  rmSync(folder, { recursive: true })
})
