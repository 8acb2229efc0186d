import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { SessionId } from '../../shared/contract/ids.ts'
import { bodyOf } from '../../shared/contract/schemas/ledger-bodies.ts'
import { LedgerEntry, type LedgerKind } from '../../shared/contract/schemas/ledger.ts'
import { createAlarmWatch } from '../../shared/domain/ledger-alarms.ts'

const HOUR = 3_600_000
const sessionOf = (n: number) => SessionId.parse(`ses_${String(n).padStart(12, '2').replaceAll(/[01]/g, 'b')}`)

/** Writes entries as the host does, with a clock of its own. */
const createDay = (agent = 'claude-frontend', startAt = 9 * HOUR) => {
  const watch = createAlarmWatch((at) => Math.floor(at / HOUR) % 24)
  let now = startAt
  let sessionId = sessionOf(2)
  let calls = 0
  const raised: string[] = []
  const add = (kind: LedgerKind, body: Record<string, unknown>, afterMs = 4_000): void => {
    now += afterMs
    const entry: LedgerEntry = { sequence: 1, at: now, kind, sessionId, body, bodyHash: null, pruned: false, previousHash: '', hash: '' }
    raised.push(...watch.saw(entry).map(({ rule }) => rule))
  }
  const decision = { effect: 'allow', classification: { class: 'read', reasons: [] }, rules: [] }
  return {
    raised,
    add,
    at: (time: number) => (now = time),
    start: (n: number) => {
      sessionId = sessionOf(n)
      add('session/started', { agent, adapter: 'claude-code', command: ['claude'], cwd: '/p', container: 'linux', profile: {}, profileHash: 'a'.repeat(64), modelKey: null })
    },
    call: (tool: string, input: unknown, afterMs = 4_000) => {
      calls += 1
      const toolCallId = `call_${String(calls).padStart(12, '2').replaceAll(/[01]/g, 'b')}`
      add('tool-call/intent', { toolCallId, tool, input, toolUseId: null, decision, approvedBy: null }, afterMs)
      add('tool-call/outcome', { toolCallId, tool, ok: true, summary: 'completed', durationMs: 20 }, 20)
    },
    deny: (command: string) => {
      calls += 1
      add('tool-call/decision', { toolCallId: 'call_222222222222', tool: 'Bash', input: { command }, effect: 'denied', reason: 'no', decision: null })
    },
    model: (costMicroUsd: number) =>
      add('model-request/outcome', { intent: 1, latencyMs: 900, httpStatus: 200, ended: 'whole', model: 'm', tokens: { input: 1, output: 1, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0 }, costMicroUsd }),
    host: (host: string) => add('network/reached', { host, port: 443 }),
    end: () => add('session/ended', { exitCode: 0 }),
  }
}
type Day = ReturnType<typeof createDay>

/** Edits, tests until they pass, reads around, installs, commits, is denied now and then, names its own `.env.example`. */
const ordinarySession = (day: Day, n: number): void => {
  day.start(n)
  for (let round = 0; round < 20; round += 1) {
    day.model(30_000 + round * 100)
    for (let file = 0; file < 5; file += 1) day.call('Read', { file_path: `/p/src/part-${(round * 5 + file) % 37}.ts` }, 700)
    day.call('Grep', { pattern: 'secretStore|credentials', path: 'src' })
    day.call('Edit', { file_path: `/p/src/part-${round}.ts`, old_string: 'a', new_string: `process.env.API_KEY_${round}` })
    for (let again = 0; again < 3; again += 1) day.call('Bash', { command: 'npm test' }, 20_000)
    if (round % 5 === 0) day.deny('rm -rf node_modules')
    if (round % 7 === 0) day.call('Bash', { command: 'cat .env.example package.json' })
    if (round % 10 === 0) day.host('packages.example')
  }
  day.call('Bash', { command: 'git commit -am "Add secrets page"' })
  day.end()
}

test('an ordinary week of an agent, with 40 sessions and 8,000 calls, raises no alarm', () => {
  const day = createDay()
  for (let n = 2; n < 42; n += 1) {
    if (n % 8 === 0) day.at(Math.floor(n / 8) * 24 * HOUR + 9 * HOUR)
    ordinarySession(day, n)
  }
  expect(day.raised).toEqual([])
})

describe('a long session of the real Claude Code, as it was recorded (test/support/record-session.ts)', () => {
  const recorded = gunzipSync(readFileSync(new URL('../fixtures/recorded-session.jsonl.gz', import.meta.url)))
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) => LedgerEntry.parse(JSON.parse(line)))
  const calls = recorded.filter(({ kind }) => kind === 'tool-call/intent' || kind === 'tool-call/decision')

  test('has edits, test runs, commits, denials and refusals, and every entry reads as its schema says', () => {
    expect(calls.length).toBeGreaterThanOrEqual(150)
    expect(recorded.filter((entry) => bodyOf(entry, entry.kind) === null)).toEqual([])
    const kinds = new Set(recorded.map(({ kind }) => kind))
    for (const kind of ['tool-call/decision', 'file/changed', 'git/moved', 'checkpoint/created', 'model-request/outcome'] as const) expect(kinds, kind).toContain(kind)
  })

  test('raises no alarm, neither for an agent that is new nor day after day for one that is known', () => {
    const watch = createAlarmWatch((at) => Math.floor(at / HOUR) % 24)
    const raised: string[] = []
    for (let day = 0; day < 15; day += 1) {
      for (const entry of recorded) {
        const sessionId = entry.sessionId === null ? null : sessionOf(day + 2)
        raised.push(...watch.saw({ ...entry, sessionId, at: entry.at + day * 24 * HOUR }).map(({ rule, message }) => `day ${day}: ${rule}: ${message}`))
      }
    }
    expect(raised).toEqual([])
    expect(recorded.filter(({ kind }) => kind === 'alarm/raised')).toEqual([])
  })
})

describe('an alarm', () => {
  const known = (sessions: number): Day => {
    const day = createDay()
    for (let n = 2; n < 2 + sessions; n += 1) {
      day.at(n * 24 * HOUR + 9 * HOUR)
      ordinarySession(day, n)
    }
    day.at(100 * 24 * HOUR + 10 * HOUR)
    day.start(60)
    return day
  }

  test('for the same call over and over comes once, at the fifteenth in a row', () => {
    const day = known(0)
    for (let n = 0; n < 14; n += 1) day.call('Bash', { command: 'curl localhost:3000' })
    expect(day.raised).toEqual([])
    for (let n = 0; n < 30; n += 1) day.call('Bash', { command: 'curl localhost:3000' })
    expect(day.raised).toEqual(['repeat'])
  })

  test('for a burst comes at 150 calls within a minute', () => {
    const day = known(0)
    for (let n = 0; n < 149; n += 1) day.call('Read', { file_path: `/p/${n}` }, 100)
    expect(day.raised).toEqual([])
    for (let n = 0; n < 9; n += 1) day.call('Read', { file_path: `/p/x${n}` }, 100)
    expect(day.raised).toEqual(['burst'])
  })

  test('for denials comes at the tenth within a quarter of an hour', () => {
    const day = known(0)
    for (let n = 0; n < 10; n += 1) day.deny(`rm -rf /x${n}`)
    expect(day.raised).toEqual(['denials'])
  })

  test('for files that hold secrets comes at the sixth, however it is read', () => {
    const day = known(0)
    const reads = ['cat ~/.ssh/id_ed25519', 'base64 .env', "python -c \"open('.aws/credentials')\"", 'cp server.pem /tmp', 'head ~/.npmrc']
    for (const command of reads) day.call('Bash', { command })
    expect(day.raised).toEqual([])
    day.call('Read', { file_path: '/home/ada/.netrc' })
    expect(day.raised).toEqual(['secret-paths'])
  })

  test('for a first-ever host, tool and hour comes for an agent that is known, and for no other', () => {
    const stranger = known(0)
    stranger.host('paste.example')
    stranger.call('mcp__github__delete_repo', {})
    expect(stranger.raised).toEqual([])
    const day = known(6)
    day.host('packages.example')
    day.call('Bash', { command: 'ls' })
    day.host('paste.example')
    day.host('paste.example')
    day.call('mcp__github__delete_repo', {})
    expect(day.raised).toEqual(['first-host', 'first-tool'])
    const night = known(12)
    night.end()
    night.at(200 * 24 * HOUR + 3 * HOUR)
    night.start(70)
    expect(night.raised).toEqual(['unusual-hour'])
  })

  test('for cost comes when a session costs four times the dearest before it, and more than a dollar', () => {
    const day = known(6)
    day.model(2_400_000)
    expect(day.raised).toEqual([])
    day.model(200_000)
    expect(day.raised).toEqual(['cost'])
  })
})
