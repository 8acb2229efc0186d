import { expect, test } from 'vitest'
import type { Client } from '../../shared/contract/client.ts'
import { examineHost } from '../../shared/core/doctor/own-state.ts'
import { VERSION } from '../../shared/core/version.ts'

const hostThatSays = (writeProblem: string | null) => {
  const answers: Record<string, unknown> = {
    'host/info': { version: VERSION, pid: 7, startedAt: 0, dataFolder: '/d', sessions: 0, approvalsPage: null, writeProblem },
    'ledger/verify': { ok: true, entries: 2 },
    'ledger/exports': { exports: [] },
  }
  return examineHost(async () => ({ call: async (name: string) => answers[name], close: () => undefined }) as unknown as Client)
}

test('a host that cannot tell whose an edit is for now says so, and one that can does not', async () => {
  expect((await hostThatSays('The record has failed.')).find(({ name }) => name === 'edits')).toEqual({ name: 'edits', state: 'warn', message: 'not told whose they are while a session computes', todo: 'The record has failed.' })
  expect((await hostThatSays(null)).map(({ name }) => name)).toEqual(['host', 'ledger'])
})
