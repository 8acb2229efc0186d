import { readFileSync } from 'node:fs'
import BetterSqlite3 from 'better-sqlite3'
import { expect, test } from 'vitest'
import type { LedgerEntry } from '../../shared/contract/schemas/ledger.ts'
import { createStory } from '../../shared/domain/ledger-story.ts'

/** The entries of one session, as the kept ledger of format 1 has them. */
const entries = (): LedgerEntry[] => {
  const database = new BetterSqlite3(':memory:')
  database.exec(readFileSync(new URL('../migrations/ledger-1.sql', import.meta.url), 'utf8'))
  const rows = database
    .prepare<[], LedgerEntry & { body: string }>(
      "SELECT sequence, at, kind, session_id AS sessionId, body, previous_hash AS previousHash, hash FROM entry WHERE session_id = 'ses_222222222222' ORDER BY sequence",
    )
    .all()
  database.close()
  return rows.map((row) => ({ ...row, body: JSON.parse(row.body) as Record<string, unknown>, bodyHash: null, pruned: false }))
}

test('a session reads as a story: who did what, why, who allowed it, what came of it, what it cost', () => {
  const story = createStory()
  expect(entries().flatMap(story).join('\n')).toBe(
    `
ses_222222222222 on 2025-11-23 12:13:22 UTC
     +0 ms  claude-frontend runs "claude -p Tidy this project." in /home/ada/project, container linux
      +1 s  checkpoint "start": 12 files kept
      +2 s  the server github gets the secret agent/github-pat
      +5 s  model claude-sonnet-4-5: 12 in, 34 out, $0.0006, 812 ms, stops for tool_use
      +6 s  asks to use Bash
      +7 s  paused: "paused by the user"
      +9 s  goes on
     +10 s    approved after 5 s: "Go on."
     +11 s  Bash: rm -rf build (destructive: rm: removes files, approved by a person)
     +12 s    Bash is done after 6 s: completed
     +14 s  Bash denied. Denied by the user through Holdfast: Keep the source folder.
     +15 s  ALARM: The agent asked to run Bash without its first hook; it was denied.
     +16 s  KILLED: 3 processes ended in 17 ms, survivors: none; 2 tool calls, 1 denied, $0.0006
     +17 s  the revert was taken back`.trimStart(),
  )
})

test('nothing that an agent wrote can hide or forge a line', () => {
  const [started] = entries()
  const forged = { ...started, body: { ...started?.body, agent: 'x', command: ['a\n +1 s  ended with code 0\u001b[2K', '\u202e'] } } as LedgerEntry
  expect(createStory()(forged)[1]).toBe('     +0 ms  x runs "a +1 s ended with code 0\\u{1b}[2K \\u{202e}" in /home/ada/project, container linux')
})

test('says of pruned entries that their content is gone', () => {
  const intent = entries().find(({ kind }) => kind === 'tool-call/intent') as LedgerEntry
  expect(createStory()({ ...intent, body: {}, pruned: true })[1]).toBe('     +0 ms  tool-call/intent: its content was pruned')
})

test('tells what the agent said before a call, what the call changed and pushed, and what was taken out of its result', () => {
  const [started] = entries()
  const entry = (kind: LedgerEntry['kind'], body: Record<string, unknown>): LedgerEntry => ({ ...(started as LedgerEntry), kind, body })
  const proposed = { toolUseId: 't', tool: 'Bash', request: 1, model: null, messageId: null, conversation: null, subagent: null, promptId: null }
  const oid = 'abcdef0123456789abcdef0123456789abcdef01'
  const files = Array.from({ length: 6 }, (_, n) => ({ path: n === 0 ? 'a\nb.ts' : `f${n}.ts`, change: 'modified', added: 1, removed: 1 }))
  const counts = { added: 1, modified: 6, deleted: 0, linesAdded: 1_200, linesRemoved: 7 }
  const refs = [
    { ref: 'refs/heads/main', from: oid, to: 'b'.repeat(40), pushed: false },
    { ref: 'refs/remotes/origin/main', from: oid, to: 'b'.repeat(40), pushed: true },
    { ref: 'refs/tags/v1', from: null, to: oid, pushed: false },
    { ref: 'refs/heads/old', from: oid, to: null, pushed: false },
  ]
  const told = [
    entry('tool-call/proposed', { ...proposed, words: { text: 'I clean up\nfirst.', thinking: 'The build is stale.' } }),
    entry('tool-call/proposed', { ...proposed, words: { text: 'x'.repeat(500), thinking: '' } }),
    entry('tool-call/proposed', { ...proposed, words: null }),
    entry('tool-call/outcome', { toolCallId: 'call_222222222222', tool: 'mcp__db__query', ok: true, summary: 'completed', durationMs: 5, redacted: 2 }),
    entry('file/changed', { toolCallIds: ['call_222222222222'], counts, files, omitted: 1, diff: null }),
    entry('file/changed', { toolCallIds: [], counts: { ...counts, modified: 0 }, files: [], omitted: 0, diff: null }),
    entry('git/moved', { toolCallIds: ['call_222222222222'], refs, omitted: 0 }),
  ].flatMap(createStory())
  expect(told.slice(1).map((line) => line.slice(12))).toEqual([
    'thinks: "The build is stale."; says: "I clean up first."',
    `says: "… ${'x'.repeat(400)}"`,
    '  mcp__db__query is done after 5 ms: completed; 2 secrets taken out of its result',
    '  files: 1 added, 6 modified, 0 deleted (+1,200 -7 lines): a b.ts, f1.ts, f2.ts, f3.ts, f4.ts and 2 more',
    'in all: 1 added, 0 modified, 0 deleted (+1,200 -7 lines)',
    '  git: main from abcdef01 to bbbbbbbb, bbbbbbbb pushed to origin/main, v1 made at abcdef01, old removed',
  ])
})
