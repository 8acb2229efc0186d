import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SessionId } from '../../shared/contract/ids.ts'
import { readRunCounts } from '../../shared/core/containers/run-counts.ts'
import { createIdleTimes, type IdleTimes } from '../../shared/core/supervisor/idle-times.ts'

const session = SessionId.parse('ses_222222222222')
let folder: string
let shell: ChildProcessWithoutNullStreams
let idle: IdleTimes
let own: Set<number>

const pid = (): number => shell.pid ?? 0
const file = (name: string): string => join(folder, name)
const changedAt = (name: string): number => statSync(file(name)).ctimeMs
/** Has the shell do something, and waits until it has. */
const tell = async (command: string): Promise<void> => {
  shell.stdin.write(`${command}; echo done\n`)
  await once(shell.stdout, 'data')
}
/** Waits until a moment after this one is told of as idle. */
const untilIdle = () => {
  const since = Date.now()
  return expect.poll(() => Date.now() - 200 > since && idle.wasIdle(session, Date.now() - 200), { timeout: 20_000, interval: 20 }).toBe(true)
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-idle-'))
  shell = spawn('/bin/sh', { cwd: folder, env: { PATH: '/usr/bin:/bin' } })
  own = new Set()
  idle = createIdleTimes()
  idle.watch(session, () => readRunCounts(async () => [pid()], own))
  await untilIdle()
})
afterEach(() => {
  idle.stop(session)
  shell.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

describe.skipIf(process.platform !== 'linux')('the times in which nothing of a session runs', () => {
  it('are those in which somebody else changed a file, and not those in which one of its processes did', async () => {
    writeFileSync(file('user'), '')
    await untilIdle()
    await tell('echo > agent')
    await untilIdle()
    expect([idle.wasIdle(session, changedAt('user')), idle.wasIdle(session, changedAt('agent'))]).toEqual([true, false])
  })

  it('are not those in which the agent had a process come and go, though it is not counted itself', async () => {
    own.add(pid())
    await untilIdle()
    await tell('for n in 1 2 3; do :; done; echo > itself')
    await tell('/usr/bin/touch agent')
    await untilIdle()
    writeFileSync(file('user'), '')
    await untilIdle()
    expect([idle.wasIdle(session, changedAt('user')), idle.wasIdle(session, changedAt('agent'))]).toEqual([true, false])
  })

  it('have no part of a time in which a call began or ended', async () => {
    writeFileSync(file('before'), '')
    await untilIdle()
    const at = Date.now()
    idle.cut(session)
    await untilIdle()
    expect([idle.wasIdle(session, changedAt('before')), idle.wasIdle(session, at)]).toEqual([true, false])
  })
})

it('what cannot be counted is no idle time', async () => {
  expect(await readRunCounts(async () => [2 ** 22 + 1], new Set())).toBeNull()
})
