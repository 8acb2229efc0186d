import { beforeEach, expect, test } from 'vitest'
import { CheckpointId, ToolCallId } from '../../shared/contract/ids.ts'
import type { FolderChanges } from '../../shared/core/ports.ts'
import { createSessionChanges } from '../../shared/core/supervisor/session-changes.ts'
import { createMemoryLedger, SESSION } from '../support/fakes.ts'

const CALL = ToolCallId.parse('call_222222222222')
const START = CheckpointId.parse('chk_222222222222')
const state = (tree: string) => ({ tree, extras: '' })
const CHANGES: FolderChanges = {
  counts: { added: 1, modified: 0, deleted: 0, linesAdded: 3, linesRemoved: 0 },
  files: [{ path: 'src/new.ts', change: 'added', added: 3, removed: 0 }],
  omitted: 0,
  diff: { sha256: 'a'.repeat(64), bytes: 90 },
  refs: [{ ref: 'refs/remotes/origin/main', from: null, to: 'b'.repeat(40), pushed: true }],
  refsOmitted: 0,
  commits: [],
}

let ledger: ReturnType<typeof createMemoryLedger>
let inputs: 'full' | 'hashed' | 'off'
let found: FolderChanges | null
let asked: unknown[]
let logged: string[]
let signed: ReadonlySet<string> | null
let alarms: string[]
beforeEach(() => {
  ledger = createMemoryLedger()
  inputs = 'full'
  found = CHANGES
  asked = []
  logged = []
  signed = null
  alarms = []
})
const setUp = () =>
  createSessionChanges({
    checkpoints: {
      list: async () => [{ id: START }],
      look: async () => state('now'),
      changes: async ({ from, to }: { from: unknown; to: unknown }) => {
        asked.push([from, to])
        if (asked.length > 1 && found === null) throw new Error('its trees are gone')
        return found
      },
    } as never,
    ledger,
    recordOf: () => ({ inputs, results: 'hashed' }),
    signedBy: () => signed,
    raiseAlarm: (_session, message) => void alarms.push(message),
    log: (line) => void logged.push(line),
  })

test('files changed while calls ran, and refs moved and pushed, become entries that name the calls', async () => {
  await setUp().record(SESSION, [CALL], state('a'), state('b'))
  const { counts, files, diff, refs } = CHANGES
  expect(ledger.entries.map(({ kind, body }) => ({ kind, body }))).toEqual([
    { kind: 'file/changed', body: { toolCallIds: [CALL], counts, files, omitted: 0, diff } },
    { kind: 'git/moved', body: { toolCallIds: [CALL], refs, omitted: 0 } },
  ])
})

test('the whole session is from its first checkpoint to now, and names no call', async () => {
  await setUp().recordAll(SESSION)
  expect(asked).toEqual([[START, state('now')]])
  expect(ledger.entries[0]?.body['toolCallIds']).toEqual([])
})

test('where the profile does not keep inputs whole, only counts are kept', async () => {
  inputs = 'hashed'
  await setUp().record(SESSION, [CALL], state('a'), state('b'))
  expect(ledger.entries[0]?.body).toMatchObject({ files: [], omitted: 1, diff: null, counts: { added: 1, linesAdded: 3 } })
})

test('nothing changed makes no entry, and what cannot be found out ends nothing', async () => {
  found = null
  const changes = setUp()
  await changes.record(SESSION, [CALL], state('a'), state('a'))
  expect(logged).toEqual([])
  await changes.record(SESSION, [CALL], state('a'), state('b'))
  expect(ledger.entries).toEqual([])
  expect(logged).toEqual([`what session ${SESSION} changed could not be recorded: its trees are gone`])
})

test('a commit that a signing session did not sign is recorded once, and told; where nothing is signed, none is', async () => {
  const commit = (oid: string) => ({ oid: oid.repeat(40), author: 'Me <me@example.invalid>', committer: 'Me <me@example.invalid>', payloadSha256: oid.repeat(64) })
  found = { ...CHANGES, files: [], refs: [], commits: [commit('a'), commit('b')] }
  await setUp().record(SESSION, [CALL], state('a'), state('b'))
  expect(ledger.entries).toEqual([])
  signed = new Set(['a'.repeat(64)])
  const changes = setUp()
  await changes.record(SESSION, [CALL], state('a'), state('b'))
  await changes.recordAll(SESSION)
  const { oid, author, committer } = commit('b')
  expect(ledger.entries.map(({ kind, body }) => ({ kind, body }))).toEqual([{ kind: 'commit/unsigned', body: { toolCallIds: [CALL], commits: [{ oid, author, committer }], omitted: 0 } }])
  expect(alarms).toEqual([expect.stringContaining('did not sign: bbbbbbbbbbbb by Me <me@example.invalid>')])
})
