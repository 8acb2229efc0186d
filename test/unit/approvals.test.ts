import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it, vi } from 'vitest'
import type { ApprovalRequest } from '../../shared/contract/schemas/approval.ts'
import { createApprovals, type ApprovalAsk } from '../../shared/core/approvals/approvals.ts'
import { createClock, createMemoryLedger, decisionOf, ids, SESSION } from '../support/fakes.ts'

const folder = mkdtempSync(join(tmpdir(), 'holdfast-grants-'))
afterAll(() => rmSync(folder, { recursive: true }))
let files = 0
const newFile = () => join(folder, `grants-${(files += 1)}.json`)

const setUp = (grantsFile = newFile()) => {
  const clock = createClock()
  const ledger = createMemoryLedger()
  const published: ApprovalRequest[] = []
  const approvals = createApprovals({ clock, ids, ledger, grantsFile, publish: (request) => void published.push(request) })
  const ask = (changes: Partial<ApprovalAsk> = {}) =>
    approvals.ask({
      toolCallId: ids.toolCall(),
      sessionId: SESSION,
      words: null,
      agent: 'claude',
      tool: 'Bash',
      input: { command: 'rm -rf build' },
      cwd: '/project',
      definition: null,
      foresight: null,
      decision: decisionOf('ask'),
      timeoutMs: 600_000,
      signal: new AbortController().signal,
      ...changes,
    })
  const first = (): ApprovalRequest => {
    const request = approvals.waiting()[0]
    if (request === undefined) throw new Error('nothing waits')
    return request
  }
  const decide = (answer: 'approve' | 'deny', scope: 'once' | 'session' | 'always' = 'once') =>
    approvals.decide({ approvalId: first().id, bindingHash: first().bindingHash, answer, scope, reason: 'no' })
  return { clock, ledger, approvals, ask, first, decide, published }
}

describe('approvals', () => {
  it('lets exactly the asked call run once when a person approves', async () => {
    const { ask, decide, approvals, ledger } = setUp()
    const answered = ask()
    decide('approve')
    expect(await answered).toEqual({ approved: true, by: 'person' })
    expect(approvals.waiting()).toEqual([])
    expect(ledger.entries.map(({ kind }) => kind)).toEqual(['approval/requested', 'approval/decided'])
  })

  it('asks again for the same call after an approval for once', async () => {
    const { ask, decide, approvals } = setUp()
    const answered = ask()
    decide('approve')
    await answered
    void ask()
    expect(approvals.waiting()).toHaveLength(1)
  })

  it('denies with the reason that the person gave', async () => {
    const { ask, decide } = setUp()
    const answered = ask()
    decide('deny')
    expect(await answered).toEqual({ approved: false, outcome: 'denied', reason: 'no' })
  })

  it('covers the very same call, and no other, for the rest of the session when approved for the session', async () => {
    const { ask, decide, approvals } = setUp()
    const answered = ask()
    decide('approve', 'session')
    await answered
    expect(await ask()).toEqual({ approved: true, by: 'session-grant' })
    void ask({ input: { command: 'rm -rf src' } })
    void ask({ cwd: '/elsewhere' })
    void ask({ tool: 'Shell' })
    void ask({ sessionId: ids.session() })
    expect(approvals.waiting()).toHaveLength(4)
    approvals.endSession(SESSION)
    void ask()
    expect(approvals.waiting()).toHaveLength(5)
  })

  it.each(['session', 'always'] as const)('asks again about a call granted for %s of which more is said now, as of a script that it runs and that was changed', async (scope) => {
    const { ask, decide, approvals } = setUp()
    const before = decisionOf('ask', 'destructive')
    const granted = ask({ decision: before })
    decide('approve', scope)
    expect(await granted).toMatchObject({ approved: true })
    expect(await ask({ decision: before })).toMatchObject({ approved: true, by: `${scope}-grant` })
    const now: typeof before = { ...before, classification: { ...before.classification, reasons: [...before.classification.reasons, 'make clean: removes files'] } }
    void ask({ decision: now })
    expect(approvals.waiting()).toMatchObject([{ decision: now }])
  })

  it('refuses an answer to something else than what was shown', () => {
    const { ask, first, approvals } = setUp()
    void ask()
    const { id } = first()
    expect(() => approvals.decide({ approvalId: id, bindingHash: '0'.repeat(64), answer: 'approve', scope: 'once', reason: null })).toThrow('is not for what was shown')
    expect(approvals.waiting()).toHaveLength(1)
  })

  it('denies when nobody has answered in time', async () => {
    vi.useFakeTimers()
    try {
      const { ask, published } = setUp()
      const answered = ask({ timeoutMs: 600_000 })
      await vi.advanceTimersByTimeAsync(600_000)
      expect(await answered).toEqual({ approved: false, outcome: 'expired', reason: 'Nobody answered within 10 minutes.' })
      expect(published.map(({ state }) => state)).toEqual(['waiting', 'expired'])
    } finally {
      vi.useRealTimers()
    }
  })

  it('takes no approval at or after expiry, whatever the timer does', () => {
    const { ask, decide, clock } = setUp()
    void ask({ timeoutMs: 1_000 })
    clock.move(1_000)
    expect(() => decide('approve')).toThrow('can no longer be answered')
  })

  it('withdraws the question when the agent has gone, and answers no one', async () => {
    const { ask, approvals } = setUp()
    const gone = new AbortController()
    const answered = ask({ signal: gone.signal })
    gone.abort()
    expect(await answered).toMatchObject({ approved: false, outcome: 'withdrawn' })
    expect(approvals.waiting()).toEqual([])
  })

  it('does not count an approval that the ledger could not record', async () => {
    const { ask, decide, ledger, approvals } = setUp()
    const answered = ask()
    ledger.failFrom = 2
    expect(() => decide('approve')).toThrow('the disk is gone')
    expect(approvals.waiting()).toHaveLength(1)
    ledger.failFrom = Number.POSITIVE_INFINITY
    decide('deny')
    expect(await answered).toMatchObject({ approved: false })
  })

  it('lets no time run while the session is paused, and gives the person the rest of it afterwards', async () => {
    vi.useFakeTimers()
    try {
      const { ask, approvals, clock, first, published } = setUp()
      const pass = async (ms: number): Promise<void> => {
        clock.move(ms)
        await vi.advanceTimersByTimeAsync(ms)
      }
      const answered = ask({ timeoutMs: 600_000 })
      await pass(400_000)
      approvals.pauseSession(SESSION)
      await pass(3_600_000)
      expect(first().expiresAt - clock.now()).toBe(200_000)
      void ask({ input: 'asked in the pause', timeoutMs: 300_000 })
      approvals.resumeSession(SESSION)
      expect(published.slice(-2).map(({ expiresAt }) => expiresAt - clock.now())).toEqual([200_000, 300_000])
      await pass(199_999)
      expect(approvals.waiting()).toHaveLength(2)
      await pass(1)
      expect(await answered).toMatchObject({ outcome: 'expired' })
      expect(approvals.waiting()).toHaveLength(1)
    } finally {
      vi.useRealTimers()
    }
  })

  it('takes an approval in a pause that began in time', async () => {
    const { ask, approvals, clock, decide } = setUp()
    const answered = ask({ timeoutMs: 1_000 })
    approvals.pauseSession(SESSION)
    clock.move(5_000)
    decide('approve')
    expect(await answered).toEqual({ approved: true, by: 'person' })
  })
})

describe('a grant for always', () => {
  const DAY = 24 * 3_600_000
  const granted = async (file = newFile()) => {
    const all = setUp(file)
    const answered = all.ask()
    all.decide('approve', 'always')
    await answered
    return all
  }

  it('covers the very same call of this agent in this folder in every session, and nothing else', async () => {
    const { ask, approvals } = await granted()
    expect(await ask({ sessionId: ids.session() })).toEqual({ approved: true, by: 'always-grant' })
    approvals.endSession(SESSION)
    expect(await ask()).toEqual({ approved: true, by: 'always-grant' })
    expect(approvals.grants.list()).toMatchObject([{ scope: 'always', sessionId: null, tool: 'Bash', uses: 2 }])
    void ask({ input: { command: 'rm -rf build ' } })
    void ask({ input: { command: 'rm -rf build', timeout: 1 } })
    void ask({ cwd: '/project/sub' })
    void ask({ tool: 'Shell' })
    void ask({ agent: 'other' })
    expect(approvals.waiting()).toHaveLength(5)
  })

  it('ends after thirty days', async () => {
    const { ask, approvals, clock } = await granted()
    clock.move(30 * DAY - 1)
    expect(await ask()).toEqual({ approved: true, by: 'always-grant' })
    clock.move(1)
    void ask()
    expect(approvals.waiting()).toHaveLength(1)
    expect(approvals.grants.list()).toEqual([])
  })

  it('ends when it is revoked, and so does one for the session', async () => {
    const { ask, approvals, decide, ledger } = await granted()
    const other = ask({ cwd: '/elsewhere' })
    decide('approve', 'session')
    await other
    for (const { id } of approvals.grants.list()) approvals.grants.revoke(id)
    void ask()
    void ask({ cwd: '/elsewhere' })
    expect(approvals.waiting()).toHaveLength(2)
    expect(ledger.entries.map(({ kind }) => kind).filter((kind) => kind.startsWith('grant/'))).toEqual(['grant/made', 'grant/made', 'grant/revoked', 'grant/revoked'])
  })

  it('outlives the host in a file that only the user reads, and stays revoked there', async () => {
    const file = newFile()
    await granted(file)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    const next = setUp(file)
    expect(await next.ask()).toEqual({ approved: true, by: 'always-grant' })
    const [grant] = next.approvals.grants.list()
    if (grant === undefined) throw new Error('nothing is granted')
    next.approvals.grants.revoke(grant.id)
    const last = setUp(file)
    void last.ask()
    expect(last.approvals.waiting()).toHaveLength(1)
    expect(() => last.approvals.grants.revoke(grant.id)).toThrow('There is no grant')
  })

  it('grants nothing out of a file that cannot be read, and does not write over it', () => {
    const file = newFile()
    writeFileSync(file, '{"version": 1, "grants": [{"tool": "*"}]}')
    const { ask, approvals, decide } = setUp(file)
    void ask()
    expect(() => decide('approve', 'always')).toThrow('cannot be read')
    expect(approvals.waiting()).toHaveLength(1)
    expect(readFileSync(file, 'utf8')).toContain('"*"')
  })

  it('is refused for what may change under its name, and for what governs the agent', () => {
    const { ask, approvals, decide } = setUp()
    const governs = { ...decisionOf('ask'), rules: [{ rule: 'Edit(.git/hooks)', effect: 'ask' as const, source: 'built-in' }] }
    void ask({ tool: 'mcp__github__create_issue' })
    expect(() => decide('approve', 'always')).toThrow('for the session at most')
    decide('approve', 'session')
    void ask({ tool: 'Edit', decision: governs })
    expect(() => decide('approve', 'always')).toThrow('each session anew')
    expect(approvals.waiting()).toHaveLength(1)
  })

  it('is not given when the ledger does not take it', async () => {
    const { ask, approvals, decide, ledger } = setUp()
    void ask()
    ledger.failFrom = ledger.entries.length + 1
    expect(() => decide('approve', 'always')).toThrow('the disk is gone')
    expect(approvals.grants.list()).toEqual([])
    ledger.failFrom = ledger.entries.length + 2
    expect(() => decide('approve', 'always')).toThrow('the disk is gone')
    expect(approvals.grants.list()).toEqual([])
  })
})

describe('an approval does not cover', () => {
  const alikeTo = (changes: Partial<ApprovalAsk>) => async (scope: 'session' | 'always') => {
    const { ask, decide, approvals } = setUp()
    const tool = { tool: scope === 'session' ? 'mcp__db__query' : 'Bash', definition: scope === 'session' ? 'a'.repeat(64) : null }
    const answered = ask(tool)
    decide('approve', scope)
    await answered
    expect(await ask({ ...tool })).toMatchObject({ approved: true })
    void ask({ ...tool, ...changes })
    return approvals.waiting().length
  }

  it.each([
    ['another argument', { input: { command: 'rm -rf build', force: true } }],
    ['another working folder', { cwd: '/project/sub' }],
    ['a changed tool definition', { definition: 'b'.repeat(64) }],
    ['another tool', { tool: 'Other' }],
    ['another agent', { agent: 'other' }],
  ] as const)('%s', async (_, changes) => {
    expect(await alikeTo(changes)('session')).toBe(1)
    expect(await alikeTo(changes)('always')).toBe(1)
  })

  it('another session, when it is for one', async () => {
    expect(await alikeTo({ sessionId: ids.session() })('session')).toBe(1)
  })

  it('a second execution of a once, not even of a call that waits beside it', async () => {
    const { ask, decide, approvals } = setUp()
    const answers = [ask(), ask()]
    decide('approve')
    expect(await answers[0]).toEqual({ approved: true, by: 'person' })
    expect(approvals.waiting()).toHaveLength(1)
    void ask()
    expect(approvals.waiting()).toHaveLength(2)
  })

  it('what differs from what was shown: each of these alone makes another binding', async () => {
    const { ask, approvals } = setUp()
    const changes: Partial<ApprovalAsk>[] = [{}, { input: 1 }, { cwd: '/x' }, { tool: 'T' }, { sessionId: ids.session() }, { definition: 'c'.repeat(64) }]
    for (const change of changes) void ask(change)
    expect(new Set(approvals.waiting().map(({ bindingHash }) => bindingHash)).size).toBe(changes.length)
  })
})

describe('questions about the very same call', () => {
  const three = () => {
    const all = setUp()
    const answers = [all.ask(), all.ask(), all.ask(), all.ask({ cwd: '/elsewhere' })]
    const [first, ...others] = all.approvals.waiting()
    if (first === undefined) throw new Error('nothing waits')
    const give = (answer: 'approve' | 'deny', scope: 'once' | 'session') =>
      all.approvals.decide({ approvalId: first.id, bindingHash: first.bindingHash, answer, scope, reason: 'no', alike: others.map(({ id }) => id) })
    return { ...all, answers, give }
  }

  it('get one answer, each recorded as its own; another call named with them gets none', async () => {
    const { give, answers, approvals, ledger } = three()
    give('approve', 'once')
    expect(await Promise.all(answers.slice(0, 3))).toEqual(Array.from({ length: 3 }, () => ({ approved: true, by: 'person' })))
    expect(approvals.waiting()).toMatchObject([{ cwd: '/elsewhere' }])
    expect(ledger.entries.filter(({ kind }) => kind === 'approval/decided')).toHaveLength(3)
  })

  it('are let go with the first when that is granted for the session', async () => {
    const { answers, approvals, decide } = three()
    decide('approve', 'session')
    expect(await Promise.all(answers.slice(0, 3))).toMatchObject([{ by: 'person' }, { by: 'session-grant' }, { by: 'session-grant' }])
    expect(approvals.waiting()).toHaveLength(1)
  })

  it('are denied together', async () => {
    const { give, answers, approvals } = three()
    give('deny', 'once')
    expect(await Promise.all(answers.slice(0, 3))).toMatchObject([{ approved: false }, { approved: false }, { approved: false }])
    expect(approvals.waiting()).toHaveLength(1)
  })
})

describe('a rule that a person grants for always', () => {
  const granted = async (rule: string, command = 'git push origin main', decision = decisionOf('ask', 'write')) => {
    const all = setUp()
    const answered = all.ask({ input: { command }, decision })
    const { id, bindingHash } = all.first()
    all.approvals.decide({ approvalId: id, bindingHash, answer: 'approve', scope: 'always', reason: null, rule })
    await answered
    return all
  }

  it('covers the calls it names that are no worse than the one approved, of this agent in this folder', async () => {
    const { ask, approvals } = await granted('Bash(git push origin:*)')
    const write = decisionOf('ask', 'write')
    expect(await ask({ input: { command: 'git push origin topic' }, decision: write })).toEqual({ approved: true, by: 'always-grant' })
    void ask({ input: { command: 'git push origin +main' }, decision: decisionOf('ask', 'destructive') })
    void ask({ input: { command: 'git push other main' }, decision: write })
    void ask({ input: { command: 'git push origin x && rm y' }, decision: write })
    void ask({ input: { command: 'git push origin x' }, decision: write, agent: 'other' })
    void ask({ input: { command: 'git push origin x' }, decision: write, cwd: '/elsewhere' })
    void ask({ input: { command: 'git push origin x' }, decision: { ...write, rules: [{ rule: 'Edit(.git/hooks)', effect: 'ask', source: 'built-in' }] } })
    expect(approvals.waiting()).toHaveLength(6)
    const [grant] = approvals.grants.list()
    expect(grant).toMatchObject({ rule: 'Bash(git push origin:*)', class: 'write', uses: 1 })
    if (grant !== undefined) approvals.grants.revoke(grant.id)
    void ask({ input: { command: 'git push origin topic' }, decision: write })
    expect(approvals.waiting()).toHaveLength(7)
  })

  it.each([
    ['does not cover the call', 'Bash(npm test:*)', 'does not cover the call'],
    ['names no calls', 'Bash', 'names the tool and which of its calls'],
    ['names all of them', 'Bash(*)', 'names the tool and which of its calls'],
    ['names another tool', 'Edit(a)', 'names the tool and which of its calls'],
    ['is none', 'bash(x)', 'did you mean Bash'],
  ])('is refused when it %s', async (_, rule, reason) => {
    await expect(granted(rule)).rejects.toThrow(reason)
  })

  it('is for always alone', () => {
    const { ask, approvals, first } = setUp()
    void ask()
    expect(() => approvals.decide({ approvalId: first().id, bindingHash: first().bindingHash, answer: 'approve', scope: 'session', reason: null, rule: 'Bash(rm:*)' })).toThrow('A rule is for always')
  })
})
