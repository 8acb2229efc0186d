import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import type { LedgerEntry } from '../../shared/contract/schemas/ledger.ts'
import type { KillReport, Session } from '../../shared/contract/schemas/session.ts'
import { aliveWith } from '../fixtures/containers.ts'
import { createScriptedWorld } from '../support/script.ts'
import { missingForEndToEnd, type World } from '../support/world.ts'

const missing = missingForEndToEnd()

let world: World
afterEach(() => world.end())

let count = 0
/** A session of a plain command in a folder of its own, which has changed a file and goes on writing another. */
const startWriter = async (options: readonly string[], before = '') => {
  const marker = `100000.${process.pid}${(count += 1)}`
  const folder = join(world.folder, `work-${count}`)
  mkdirSync(folder)
  writeFileSync(join(folder, 'kept.txt'), 'the user’s\n')
  const script = `${before} echo "the agent’s" > kept.txt; (setsid sh -c "while :; do echo x >> beat.txt; sleep 0.01; done; : ${marker}" &) & exec sleep ${marker}`
  const run = world.start(['run', ...options, '--cwd', folder, '--profile', 'test', '--', 'sh', '-c', script])
  const beat = join(folder, 'beat.txt')
  while (!existsSync(beat)) await delay(10)
  const session = (await sessions()).find(({ cwd }) => cwd === folder)
  if (session === undefined) throw new Error('no such session')
  return { id: session.id, folder, beat, marker, run, kept: () => readFileSync(join(folder, 'kept.txt'), 'utf8') }
}

const json = async <Result>(...args: string[]): Promise<Result> => JSON.parse((await world.holdfast([...args, '--json'])).stdout) as Result
const sessions = async (): Promise<Session[]> => (await json<{ sessions: Session[] }>('sessions')).sessions
const stateOf = async (id: string) => (await sessions()).find((session) => session.id === id)
const kill = async (...args: string[]): Promise<KillReport | undefined> => (await json<{ reports: KillReport[] }>('kill', ...args)).reports[0]
const ledgerOf = async (id: string): Promise<LedgerEntry[]> => {
  const { stdout } = await world.holdfast(['ledger', 'export', '--session', id])
  return stdout.trim().split('\n').map((line) => JSON.parse(line) as LedgerEntry)
}
const kindsOf = async (id: string): Promise<string[]> => (await ledgerOf(id)).map(({ kind }) => kind).filter((kind) => /^(session|checkpoint)\//.test(kind))

/** Processes of these sessions that are alive; the command line that shows one names its command too. */
const left = (...writers: Awaited<ReturnType<typeof startWriter>>[]): number[] =>
  writers.flatMap(({ marker, run }) => aliveWith(marker).filter((pid) => pid !== run.child.pid))

const killHost = async (): Promise<void> => {
  const { pid } = await world.endpoint()
  process.kill(pid, 'SIGKILL')
  while (existsSync(`/proc/${pid}/exe`)) await delay(5)
}

describe.skipIf(missing !== null)(`what a host that was killed leaves behind${missing === null ? '' : ` (missing: ${missing})`}`, () => {
  it('a session that outlived it is frozen at the next start, shown, not to be resumed, and killed with its changes put back or kept', async () => {
    world = await createScriptedWorld(() => [])
    await world.holdfast(['up'])
    // Without walls an agent can stop the process that would have ended it with the host.
    const reverted = await startWriter(['--no-sandbox'], 'kill -STOP $PPID;')
    const keeping = await startWriter(['--no-sandbox'], 'kill -STOP $PPID;')
    await killHost()
    await Promise.all([reverted.run.finished, keeping.run.finished])
    for (const { beat } of [reverted, keeping]) {
      const { size } = statSync(beat)
      while (statSync(beat).size === size) await delay(5)
    }

    expect((await world.holdfast(['up'])).code).toBe(0)
    const sizes = [reverted, keeping].map(({ beat }) => statSync(beat).size)
    for (const { id } of [reverted, keeping]) {
      expect(await stateOf(id)).toMatchObject({ state: 'paused', container: 'off', agent: 'tester', reason: expect.stringContaining(`holdfast kill ${id} --keep-changes`) as string })
    }
    expect([reverted, keeping].map(({ beat }) => statSync(beat).size)).toEqual(sizes)
    expect((await world.holdfast(['resume', reverted.id])).stderr).toContain('cannot be resumed')

    expect(await kill(reverted.id)).toMatchObject({ survivors: [], restoreProblem: null })
    expect(await kill(keeping.id, '--keep-changes')).toMatchObject({ survivors: [], restore: null })
    expect(left(reverted, keeping)).toEqual([])
    expect(reverted.kept()).toBe('the user’s\n')
    expect(existsSync(reverted.beat)).toBe(false)
    expect(keeping.kept()).toBe('the agent’s\n')
    expect(await kindsOf(reverted.id)).toEqual(['session/started', 'checkpoint/created', 'session/paused', 'checkpoint/created', 'checkpoint/restored', 'session/killed'])
    expect(await kindsOf(keeping.id)).toEqual(['session/started', 'checkpoint/created', 'session/paused', 'session/killed'])
    expect((await world.holdfast(['undo', reverted.id])).code).toBe(0)
    expect(reverted.kept()).toBe('the agent’s\n')
    expect((await world.holdfast(['ledger', 'verify'])).code).toBe(0)
  })

  it('a session that died with it is recorded as ended at the next start, or as killed where a client did that, and can be put back', async () => {
    world = await createScriptedWorld(() => [])
    await world.holdfast(['up'])
    const ended = await startWriter([])
    const killed = await startWriter([])
    await killHost()
    await Promise.all([ended.run.finished, killed.run.finished])
    expect(await kill(killed.id)).toMatchObject({ survivors: [], restoreProblem: null })
    expect(killed.kept()).toBe('the user’s\n')

    await world.holdfast(['up'])
    expect(left(ended, killed)).toEqual([])
    expect(await stateOf(ended.id)).toMatchObject({ state: 'failed', reason: 'its host ended without a word, and it with it' })
    expect(await stateOf(killed.id)).toMatchObject({ state: 'killed', exitCode: 137 })
    expect(await kindsOf(ended.id)).toEqual(['session/started', 'checkpoint/created', 'session/ended'])
    expect(await kindsOf(killed.id)).toEqual(['session/started', 'checkpoint/created', 'checkpoint/created', 'checkpoint/restored', 'session/killed'])

    const start = (await stateOf(ended.id))?.startCheckpoint ?? ''
    expect((await world.holdfast(['checkpoint', 'restore', ended.id, start])).code).toBe(0)
    expect(ended.kept()).toBe('the user’s\n')
    // Told once, and not again by the next host.
    await world.holdfast(['down'])
    await world.holdfast(['up'])
    expect(await kindsOf(ended.id)).toEqual(['session/started', 'checkpoint/created', 'session/ended', 'checkpoint/restored'])
    expect(await sessions()).toEqual([])
  })

  it('a host that hung while its sessions were killed without it records that when it goes on', async () => {
    world = await createScriptedWorld(() => [])
    await world.holdfast(['up'])
    const one = await startWriter([])
    const other = await startWriter(['--no-sandbox'])
    const { pid } = await world.endpoint()
    process.kill(pid, 'SIGSTOP')
    try {
      const { reports } = await json<{ reports: KillReport[] }>('kill', '--all')
      expect(reports.map(({ survivors, restoreProblem }) => ({ survivors, restoreProblem }))).toEqual([{ survivors: [], restoreProblem: null }, { survivors: [], restoreProblem: null }])
      expect(left(one, other)).toEqual([])
      expect([one.kept(), other.kept()]).toEqual(['the user’s\n', 'the user’s\n'])
    } finally {
      process.kill(pid, 'SIGCONT')
    }
    for (const { id, run } of [one, other]) {
      expect((await run.finished).code).toBe(137)
      expect(await stateOf(id)).toMatchObject({ state: 'killed', reason: 'killed by the user, without its host' })
      expect(await kindsOf(id)).toEqual(['session/started', 'checkpoint/created', 'checkpoint/created', 'checkpoint/restored', 'session/killed'])
    }
    expect((await world.holdfast(['ledger', 'verify'])).code).toBe(0)
  })
})
