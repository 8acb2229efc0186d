import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { bash, createScriptedWorld, toolResults } from '../support/script.ts'
import { missingForEndToEnd, nextEvent, type World } from '../support/world.ts'

const missing = missingForEndToEnd()

let world: World | null = null
afterEach(async () => {
  await world?.end()
  world = null
})

const RUN = ['run', '--profile', 'test', '--', 'claude', '-p', 'Do it.']
interface Entry {
  readonly kind: string
  readonly body: Readonly<Record<string, unknown>>
}

const entriesOf = async (here: World, kind: string): Promise<Entry[]> =>
  (await here.holdfast(['ledger', 'tail', '-n', '500', '--json'])).stdout.trim().split('\n').map((line) => JSON.parse(line) as Entry).filter((entry) => entry.kind === kind)

/** Starts the agent and waits until its first question. */
const asked = async (commands: readonly string[]) => {
  const here = (world = await createScriptedWorld(() => commands.map(bash)))
  await here.holdfast(['up'])
  const client = await here.client()
  const question = nextEvent(client, 'approval/changed', ({ state }) => state === 'waiting')
  const session = here.start(RUN)
  session.child.stdin?.end()
  return { here, client, session, request: await question }
}

describe.skipIf(missing !== null)(`answers to a question of the real Claude Code${missing === null ? '' : ` (missing: ${missing})`}`, () => {
  it('arguments that a person changed are what runs, and both agent and ledger are told', async () => {
    const { here, client, session, request } = await asked(['rm -rf build'])
    expect(request.foresight?.preview[0]).toMatchObject({ summary: expect.stringMatching(/^deletes 1 file/), lines: [expect.stringContaining('build/out.txt')] })
    const shown = await here.holdfast(['approvals', request.id])
    expect(shown.stdout).toContain('deletes 1 file')
    const changed = { command: 'echo as changed > changed.txt', description: 'a step' }
    const { code, stderr } = await here.holdfast(['approve', request.id, '--input', JSON.stringify(changed)])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect((await session.finished).code).toBe(0)
    expect(existsSync(join(here.project, 'build', 'out.txt'))).toBe(true)
    expect(readFileSync(join(here.project, 'changed.txt'), 'utf8')).toBe('as changed\n')
    expect(JSON.stringify(here.model.requests.map(({ body }) => body))).toContain('The user changed the arguments of this call before it ran')
    expect(await entriesOf(here, 'tool-call/intent')).toMatchObject([{ body: { input: changed, askedInput: { command: 'rm -rf build' }, approvedBy: 'person' } }])
    expect(await entriesOf(here, 'approval/decided')).toMatchObject([{ body: { state: 'approved', changedInputHash: expect.stringMatching(/^[0-9a-f]{64}$/) } }])
    client.close()
  })

  it('a no that pauses: nothing goes on until the person resumes, and the agent then has the reason', async () => {
    const { here, client, session, request } = await asked(['rm -rf build', 'echo went on > after.txt'])
    const paused = nextEvent(client, 'session/changed', ({ state }) => state === 'paused')
    const { code, stdout } = await here.holdfast(['deny', request.id, '--pause', '--reason', 'Keep it.'])
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining(`holdfast resume ${request.sessionId}`) })
    await paused
    expect(existsSync(join(here.project, 'after.txt'))).toBe(false)
    expect((await here.holdfast(['resume', request.sessionId])).code).toBe(0)
    expect((await session.finished).code).toBe(0)
    expect(toolResults(here)[0]).toContain('Keep it.')
    expect(existsSync(join(here.project, 'after.txt'))).toBe(true)
    expect(existsSync(join(here.project, 'build'))).toBe(true)
    client.close()
  })

  it('a destructive call that a checkpoint covers passes where the profile lets it, is recorded so, and comes back', async () => {
    const here = (world = await createScriptedWorld(() => [bash('rm README.md')]))
    const profile = join(here.holdfastHome, 'config', 'profiles', 'test.yaml')
    writeFileSync(profile, `${readFileSync(profile, 'utf8')}\npolicy: { recoverable: allow }\n`)
    const before = readFileSync(join(here.project, 'README.md'), 'utf8')
    expect((await here.holdfast(RUN)).code).toBe(0)
    expect(existsSync(join(here.project, 'README.md'))).toBe(false)
    expect(await entriesOf(here, 'approval/requested')).toEqual([])
    const [intent] = await entriesOf(here, 'tool-call/intent')
    expect(intent?.body).toMatchObject({ approvedBy: 'recoverable', checkpointId: expect.stringMatching(/^chk_/) })
    const { stdout } = await here.holdfast(['sessions', '--json'])
    const { id } = (JSON.parse(stdout) as { sessions: { id: string }[] }).sessions[0] ?? { id: '' }
    expect((await here.holdfast(['checkpoint', 'restore', id, String(intent?.body['checkpointId'])])).code).toBe(0)
    expect(readFileSync(join(here.project, 'README.md'), 'utf8')).toBe(before)
  })

  it('a point of review: the person looks, goes on with a message that the model then has, and the next time ends it', async () => {
    const here = (world = await createScriptedWorld(() => [bash('echo one > one.txt'), bash('echo two > two.txt'), bash('echo three > three.txt')]))
    const profile = join(here.holdfastHome, 'config', 'profiles', 'test.yaml')
    writeFileSync(profile, readFileSync(profile, 'utf8').replace('spendUsd: 5', 'spendUsd: 5, reviewEvery: { calls: 2 }'))
    await here.holdfast(['up'])
    const client = await here.client()
    const paused = () => nextEvent(client, 'session/changed', ({ state }) => state === 'paused')
    const first = paused()
    const session = here.start(RUN)
    session.child.stdin?.end()
    const { id, reason } = await first
    expect(reason).toBe('review due after 2 tool calls: look at what was done, then resume')
    const { stdout: changes } = await here.holdfast(['checkpoint', 'diff', id])
    expect(changes).toContain('one.txt')
    expect((await here.holdfast(['resume', id, '--message', 'Mind the third file.'])).code).toBe(0)
    expect((await session.finished).code).toBe(0)
    expect(JSON.stringify(here.model.requests.map(({ body }) => body))).toContain('The user looked at what you did and says: Mind the third file.')
    expect(await entriesOf(here, 'session/resumed')).toMatchObject([{ body: { message: 'Mind the third file.' } }])

    const second = paused()
    const again = here.start(RUN)
    again.child.stdin?.end()
    const { id: other } = await second
    expect((await here.holdfast(['kill', other])).code).toBe(0)
    expect((await again.finished).code).toBe(137)
    client.close()
  })
})
