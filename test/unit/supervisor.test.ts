import { setImmediate } from 'node:timers/promises'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createSupervision } from '../support/supervision.ts'

afterEach(() => void vi.useRealTimers())

/** Lets everything go on that waits for no timer. */
const settle = async (): Promise<void> => {
  for (let i = 0; i < 5; i += 1) await setImmediate()
}

describe('the end of a session', () => {
  it('keeps a session with survivors in sight and in killing, puts nothing back yet, and ends it when a kill is proven', async () => {
    const { supervisor, registry, start, kindsOf, checkpointed, alarmsSeen } = createSupervision({ stubbornKills: 1 })
    const { id } = await start()
    const [first] = await supervisor.kill([id], false)
    expect(first).toMatchObject({ survivors: [4_000_001], restore: null })
    expect(first?.restoreProblem).toContain(`Kill it again: holdfast kill ${id}`)
    expect(registry.get(id)).toMatchObject({ state: 'killing', reason: expect.stringContaining('could not be ended') as string })
    expect(alarmsSeen).toHaveLength(1)
    expect(kindsOf(id)).not.toContain('session/killed')
    const [second] = await supervisor.kill('all', false)
    expect(second).toMatchObject({ survivors: [], restoreProblem: null, restore: { written: ['README.md'] } })
    expect(registry.get(id).state).toBe('killed')
    expect(checkpointed).toEqual(['start', 'killed', 'revert'])
    expect(kindsOf(id).filter((kind) => kind === 'session/killed')).toHaveLength(1)
    expect(await supervisor.kill([id], false)).toEqual([])
  })

  it('records a kill that a client did without it, and puts nothing back a second time', async () => {
    const done = { outcome: { processesKilled: 3, survivors: [], durationMs: 20, restoreProblem: null }, entries: [{ kind: 'checkpoint/restored' as const, body: {} }] }
    const { supervisor, registry, start, sessions, kindsOf, checkpointed } = createSupervision({ killedElsewhere: () => Promise.resolve(done) })
    const hung = await start()
    expect(await supervisor.kill([hung.id], false)).toMatchObject([{ survivors: [], restore: null, restoreProblem: null }])
    const asleep = await start()
    sessions[1]?.fake.exit({ code: null, signal: 'SIGKILL' })
    while (registry.get(asleep.id).state !== 'killed') await settle()
    for (const { id } of [hung, asleep]) {
      expect(registry.get(id)).toMatchObject({ state: 'killed', exitCode: 137, reason: 'killed by the user, without its host' })
      expect(kindsOf(id).slice(-2)).toEqual(['checkpoint/restored', 'session/killed'])
    }
    expect(checkpointed).toEqual(['start', 'start'])
  })

  it('takes a container whose kill fails for alive, and crashes nothing, even when its processes cannot be listed', async () => {
    const { supervisor, registry, start } = createSupervision({ killRejects: true, processesReject: true })
    const { id } = await start()
    expect(await supervisor.kill([id], false)).toMatchObject([{ survivors: [4_000_000], restore: null }])
    expect(registry.get(id).state).toBe('killing')
  })

  it('stops a session that has not got as far as the list, and lets it run nothing', async () => {
    const gate = Promise.withResolvers<void>()
    const { supervisor, registry, start, sessions } = createSupervision({ step: (what) => (what === 'prepare' ? gate.promise : Promise.resolve()) })
    const started = start()
    started.catch(() => undefined)
    expect(await supervisor.kill('all', false)).toMatchObject([{ processesKilled: 0, survivors: [], restore: null, restoreProblem: null }])
    gate.resolve()
    await expect(started).rejects.toThrow('killed while it started')
    expect(registry.list()).toEqual([])
    expect(sessions[0]?.fake.done).toEqual([])
  })

  it('puts the folder back although the audit log fails, and says so', async () => {
    const { supervisor, registry, start, ledger, checkpointed } = createSupervision()
    const { id } = await start()
    ledger.failFrom = 1
    const [report] = await supervisor.kill([id], false)
    expect(report).toMatchObject({ survivors: [], restore: { written: ['README.md'] } })
    expect(report?.restoreProblem).toContain('was put back, but the audit log could not record it')
    expect(checkpointed).toEqual(['start', 'killed', 'revert'])
    expect(registry.get(id).state).toBe('killed')
  })

  it('records a revert of any size in a few bytes, bound by a hash', async () => {
    const written = Array.from({ length: 50_000 }, (_, i) => `packages/some-long-name-${i}/index.ts`)
    const { supervisor, start, ledger } = createSupervision({ report: { written } })
    const { id } = await start()
    await supervisor.kill([id], false)
    const body = ledger.entries.find(({ kind }) => kind === 'checkpoint/restored')?.body
    expect(body).toMatchObject({ written: 50_000, deleted: 0, pathsSha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string })
    expect(JSON.stringify(body).length).toBeLessThan(500)
    await supervisor.undo(id)
    expect(ledger.entries.at(-1)).toMatchObject({ kind: 'checkpoint/restored', body: { undo: true, written: 50_000 } })
  })

  it('does not call an undo failed that was done and could not be recorded', async () => {
    const { supervisor, start, ledger, alarmsSeen } = createSupervision()
    const { id } = await start()
    await supervisor.kill([id], false)
    ledger.failFrom = 1
    expect(await supervisor.undo(id)).toMatchObject({ written: ['README.md'] })
    expect(alarmsSeen.at(-1)).toContain('could not record it')
  })

  it('puts the folder back although its servers never close', async () => {
    const { supervisor, start, checkpointed } = createSupervision({ closeHangs: true })
    const { id } = await start()
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const killed = supervisor.kill([id], false)
    await vi.advanceTimersByTimeAsync(20_000)
    expect(await killed).toMatchObject([{ restoreProblem: null }])
    expect(checkpointed).toContain('revert')
  })

  it('puts the folder back although nobody knows whether its servers ended, and raises an alarm', async () => {
    const { supervisor, start, checkpointed, alarmsSeen } = createSupervision({ serversReject: true })
    const { id } = await start()
    expect(await supervisor.kill([id], false)).toMatchObject([{ restoreProblem: null }])
    expect(checkpointed).toContain('revert')
    expect(alarmsSeen).toEqual([`Session ${id}: its MCP servers could not be shown to have ended.`])
  })

  it('ends with 128 and the number of the signal that ended the command', async () => {
    const { registry, start, sessions } = createSupervision()
    const { id } = await start()
    sessions[0]?.fake.exit({ code: null, signal: 'SIGSEGV' })
    await settle()
    expect(registry.get(id)).toMatchObject({ state: 'ended', exitCode: 139 })
  })

  it('ends although a process left behind holds the output open: that is killed first', async () => {
    const { registry, start, sessions, viewer, kindsOf } = createSupervision()
    const { id } = await start()
    const fake = sessions[0]?.fake
    fake?.container.pipes?.stdout.emit('data', Buffer.from('last words'))
    fake?.exit({ code: 3, signal: null })
    await settle()
    expect(registry.get(id)).toMatchObject({ state: 'ended', exitCode: 3 })
    expect(viewer.sent).toEqual(['session/output'])
    expect(kindsOf(id).at(-1)).toBe('session/ended')
  })

  it('says what ended unknown: a call that still ran when the session was killed has an outcome that says so', async () => {
    const { supervisor, gate, start, ledger, kindsOf } = createSupervision()
    const { id } = await start()
    const verdict = await gate.request({ sessionId: id, tool: 'Bash', input: {}, toolUseId: null, signal: new AbortController().signal })
    await supervisor.kill([id], false)
    expect(ledger.entries.find(({ kind }) => kind === 'tool-call/outcome')?.body).toMatchObject({
      toolCallId: verdict.toolCallId,
      ok: null,
      summary: 'The session ended before the outcome was known.',
    })
    expect(kindsOf(id).slice(-2)).toEqual(['tool-call/outcome', 'session/killed'])
  })

  it('starts nothing more once it closes, and has ended everything when that is done', async () => {
    const { supervisor, registry, start } = createSupervision()
    const { id } = await start()
    await supervisor.close()
    expect(registry.get(id).state).toBe('ended')
    await expect(start()).rejects.toThrow('The host is stopping')
  })
})

describe('pause and resume', () => {
  it('do nothing the second time', async () => {
    const { supervisor, start, kindsOf } = createSupervision()
    const { id } = await start()
    const paused = await Promise.all([supervisor.pause(id, 'to look'), supervisor.pause(id, 'again')])
    expect(paused.map(({ reason }) => reason)).toEqual(['to look', 'to look'])
    expect((await supervisor.resume(id)).state).toBe('running')
    expect((await supervisor.resume(id)).state).toBe('running')
    expect(kindsOf(id).slice(-2)).toEqual(['session/paused', 'session/resumed'])
  })

  it('take a message for the agent along, which it gets once, and of which the ledger knows', async () => {
    const { supervisor, start, ledger, messages } = createSupervision({ adapter: 'claude-code' })
    const { id } = await start()
    await expect(supervisor.resume(id, 'go left')).rejects.toThrow('pause it first')
    await supervisor.pause(id, 'to look')
    await supervisor.resume(id, 'go left')
    expect(ledger.entries.at(-1)).toMatchObject({ kind: 'session/resumed', body: { message: 'go left' } })
    expect([messages.take(id), messages.take(id)]).toEqual(['go left', null])
  })

  it('take no message to a command that is no known agent', async () => {
    const { supervisor, start } = createSupervision()
    const { id } = await start()
    await supervisor.pause(id, 'to look')
    await expect(supervisor.resume(id, 'go left')).rejects.toThrow('type to it where it runs')
    expect((await supervisor.resume(id)).state).toBe('running')
  })

  it('come by themselves after as many calls as the profile says: the next call waits for the person who resumes', async () => {
    const { supervisor, registry, gate, start, kindsOf } = createSupervision({ limits: { reviewEvery: { calls: 2 } } })
    const { id } = await start()
    const request = () => gate.request({ sessionId: id, tool: 'Bash', input: {}, toolUseId: null, signal: new AbortController().signal })
    await request()
    await request()
    let third = false
    const waiting = request().then((verdict) => {
      third = true
      return verdict
    })
    await settle()
    expect(registry.get(id)).toMatchObject({ state: 'paused', reason: 'review due after 2 tool calls: look at what was done, then resume' })
    expect(third).toBe(false)
    await supervisor.resume(id)
    expect((await waiting).allowed).toBe(true)
    expect(kindsOf(id).filter((kind) => kind === 'session/paused')).toHaveLength(1)
  })

  it('keep a checkpoint at each review while nothing runs, and pause all the same when none can be kept', async () => {
    const { registry, gate, start, checkpointed, sessions } = createSupervision({ limits: { reviewEvery: { calls: 1 } } })
    const { id } = await start()
    await gate.request({ sessionId: id, tool: 'Bash', input: {}, toolUseId: null, signal: new AbortController().signal })
    await settle()
    expect(checkpointed).toEqual(['start', 'review'])
    expect(sessions[0]?.fake.done).toEqual(['launched', 'freeze', 'thaw', 'freeze'])
    expect(registry.get(id).state).toBe('paused')

    const broken = createSupervision({ limits: { reviewEvery: { calls: 1 } }, reviewRejects: true })
    const other = await broken.start()
    await broken.gate.request({ sessionId: other.id, tool: 'Bash', input: {}, toolUseId: null, signal: new AbortController().signal })
    await settle()
    expect(broken.alarmsSeen).toEqual(['No checkpoint could be kept at the review: the disk is full'])
    expect(broken.registry.get(other.id).state).toBe('paused')
  })

  it('let a call that waits for a resume go unrun when the session is killed', async () => {
    const { supervisor, gate, start } = createSupervision()
    const { id } = await start()
    await supervisor.pause(id, 'to look')
    const waiting = gate.request({ sessionId: id, tool: 'Bash', input: {}, toolUseId: null, signal: new AbortController().signal })
    await supervisor.kill([id], false)
    expect((await waiting).allowed).toBe(false)
  })

  it('hold a call that a person approved in the meantime until the session goes on', async () => {
    const { supervisor, gate, approvals, start, kindsOf } = createSupervision({ effect: 'ask' })
    const { id } = await start()
    const waiting = gate.request({ sessionId: id, tool: 'Bash', input: {}, toolUseId: null, signal: new AbortController().signal })
    await settle()
    await supervisor.pause(id, 'to look')
    const [request] = approvals.waiting()
    approvals.decide({ approvalId: request!.id, bindingHash: request!.bindingHash, answer: 'approve', scope: 'once', reason: null })
    await settle()
    expect(kindsOf(id)).not.toContain('tool-call/intent')
    await supervisor.resume(id)
    expect((await waiting).allowed).toBe(true)
  })
})
