import { expect, it } from 'vitest'
import { LedgerEntry } from '../../shared/contract/schemas/ledger.ts'
import { createPastCallReader } from '../../shared/domain/past-calls.ts'

const SESSION = 'ses_22222222222b'
const entry = (kind: string, body: Record<string, unknown>): LedgerEntry =>
  LedgerEntry.parse({ sequence: 1, at: 5, kind, sessionId: SESSION, bodyHash: null, pruned: false, body, previousHash: '0'.repeat(64), hash: '1'.repeat(64) })
const call = (input: unknown) => ({ toolCallId: 'call_22222222222b', tool: 'Bash', input, decision: { effect: 'ask' } })

it('a call is read with the folder of its session and what was decided, whether it ran or was refused', () => {
  const read = createPastCallReader()
  expect(read(entry('session/started', { cwd: '/project' }))).toBeNull()
  for (const kind of ['tool-call/intent', 'tool-call/decision']) {
    expect(read(entry(kind, call({ command: 'ls' })))).toEqual({
      toolCallId: 'call_22222222222b',
      sessionId: SESSION,
      at: 5,
      tool: 'Bash',
      input: { command: 'ls' },
      cwd: '/project',
      was: 'ask',
    })
  }
  expect(read(entry('tool-call/outcome', call({})))).toBeNull()
})

it('a call that cannot be judged anew is told as incomplete', () => {
  const read = createPastCallReader()
  expect(read(entry('tool-call/intent', call({ command: 'ls' }))), 'its session is not in the ledger').toBe('incomplete')
  read(entry('session/started', { cwd: '/project' }))
  expect(read(entry('tool-call/intent', call({ sha256: 'x', characters: 70_000, beginning: 'x' })))).toBe('incomplete')
  expect(read(entry('tool-call/decision', { ...call({}), decision: null }))).toBe('incomplete')
})
