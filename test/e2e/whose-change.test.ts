import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { CheckpointDiff } from '../../shared/contract/schemas/checkpoint.ts'
import type { KillReport } from '../../shared/contract/schemas/session.ts'
import { createContainerWrites } from '../../shared/core/containers/write-record.ts'
import { bash, createScriptedWorld } from '../support/script.ts'
import { missingForEndToEnd, nextEvent, type World } from '../support/world.ts'

const missing = missingForEndToEnd()

const record = createContainerWrites()
/** Then what a container did not write is known to be the user's, at any moment. */
const isRecorded = (await record.cut()) !== null
record.close()

let world: World | null = null
afterEach(async () => {
  await world?.end()
  world = null
})

describe.skipIf(missing !== null)(`whose a change is while a command runs, with the real Claude Code${missing === null ? '' : ` (missing: ${missing})`}`, () => {
  /** A session of the world whose only command runs now. */
  const runCommand = async (here: World) => {
    await here.holdfast(['up'])
    const client = await here.client()
    client.on('approval/changed', ({ id, state, bindingHash }) => {
      if (state === 'waiting') void client.call('approval/decide', { approvalId: id, bindingHash, answer: 'approve' })
    })
    const running = nextEvent(client, 'tool-call/changed', ({ state }) => state === 'running')
    const session = here.start(['run', '--profile', 'test', '--', 'claude', '-p', 'Do it.'])
    session.child.stdin?.end()
    return { client, session, sessionId: (await running).sessionId }
  }

  it.skipIf(!isRecorded)('leaves alone what the user alone edits while the command computes and writes, on kill and undo', async () => {
    world = await createScriptedWorld(() => [bash('echo agent > README.md; while :; do echo agent > agent.txt; done')])
    const here = world
    const file = (name: string): string => join(here.project, name)
    for (const name of ['in-place.txt', 'saved.txt']) writeFileSync(file(name), 'start\n')
    const { client, session, sessionId } = await runCommand(here)
    await expect.poll(() => existsSync(file('agent.txt')), { timeout: 20_000 }).toBe(true)
    writeFileSync(file('in-place.txt'), 'start, user\n')
    writeFileSync(file('.saved.txt.new'), 'user\n')
    renameSync(file('.saved.txt.new'), file('saved.txt'))
    writeFileSync(file('made.txt'), 'user\n')
    const { stdout } = await here.holdfast(['checkpoint', 'diff', sessionId, '--json'])
    const { changes } = (JSON.parse(stdout) as { diff: CheckpointDiff }).diff
    expect(changes.map(({ path, by }) => `${path} ${by}`)).toEqual(['README.md session', 'agent.txt session', 'in-place.txt other', 'made.txt other', 'saved.txt other'])

    const kill = await here.holdfast(['kill', sessionId, '--json'])
    const [report] = (JSON.parse(kill.stdout) as { reports: KillReport[] }).reports
    expect(report?.restore).toMatchObject({ written: ['README.md'], deleted: ['agent.txt'], leftAlone: ['in-place.txt', 'made.txt', 'saved.txt'], conflicts: [] })
    const texts = () => ['in-place.txt', 'saved.txt', 'made.txt'].map((name) => readFileSync(file(name), 'utf8'))
    expect([texts(), existsSync(file('agent.txt'))]).toEqual([['start, user\n', 'user\n', 'user\n'], false])
    await session.finished
    await here.holdfast(['undo', sessionId])
    expect([texts(), readFileSync(file('README.md'), 'utf8'), existsSync(file('agent.txt'))]).toEqual([['start, user\n', 'user\n', 'user\n'], 'agent\n', true])
    client.close()
  })

  it('keeps what the user edits meanwhile, the file that the command wrote before among it, and takes back the rest', async () => {
    const command = 'mkfifo gate; echo agent > agent.txt; echo agent > README.md; echo agent > both.txt; cat gate > /dev/null; echo more >> agent.txt; sleep 500'
    world = await createScriptedWorld(() => [bash(command)])
    const here = world
    const file = (name: string): string => join(here.project, name)
    for (const name of ['user.txt', 'both.txt']) writeFileSync(file(name), 'start\n')
    const { client, session, sessionId } = await runCommand(here)
    await expect.poll(() => existsSync(file('both.txt')) && readFileSync(file('both.txt'), 'utf8'), { timeout: 20_000 }).toBe('agent\n')

    // Until the host has seen for some moments that nothing of the session runs; each edit is another, for it to be seen anew.
    let edits = 0
    const edited = (): string => `user ${edits}\n`
    await expect
      .poll(
        async () => {
          edits += 1
          writeFileSync(file('user.txt'), edited())
          writeFileSync(file('both.txt'), edited())
          const { stdout } = await here.holdfast(['checkpoint', 'diff', sessionId, '--json'])
          return (JSON.parse(stdout) as { diff: CheckpointDiff }).diff.changes.map(({ path, by }) => `${path} ${by}`)
        },
        { timeout: 30_000, interval: 200 },
      )
      .toEqual(['README.md session', 'agent.txt session', 'both.txt both', isRecorded ? 'user.txt other' : 'user.txt both'])
    writeFileSync(file('gate'), 'go\n')
    await expect.poll(() => readFileSync(file('agent.txt'), 'utf8')).toBe('agent\nmore\n')

    const kill = await here.holdfast(['kill', sessionId, '--json'])
    const [report] = (JSON.parse(kill.stdout) as { reports: KillReport[] }).reports
    expect(report?.restore).toMatchObject({ written: ['README.md'], deleted: ['agent.txt'], conflicts: [{ path: 'both.txt' }, ...(isRecorded ? [] : [{ path: 'user.txt' }])] })
    expect([readFileSync(file('user.txt'), 'utf8'), readFileSync(file('both.txt'), 'utf8'), existsSync(file('agent.txt'))]).toEqual([edited(), edited(), false])
    for (const { recoveredAs } of report?.restore?.conflicts ?? []) expect(readFileSync(file(recoveredAs ?? ''), 'utf8')).toBe('start\n')
    await session.finished
    client.close()
  })
})
