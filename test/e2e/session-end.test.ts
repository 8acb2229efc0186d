import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { isOver } from '../../shared/domain/session-state.ts'
import { bash, createScriptedWorld } from '../support/script.ts'
import { missingForEndToEnd, nextEvent, type World } from '../support/world.ts'

const missing = missingForEndToEnd()

let world: World | null = null
afterEach(async () => {
  await world?.end()
  world = null
})

describe.skipIf(missing !== null)(`the end of a session, and its limits${missing === null ? '' : ` (missing: ${missing})`}`, () => {
  it('ends with what the command left running, whatever that holds open, and with 128 and the number of its signal', async () => {
    world = await createScriptedWorld(() => [])
    const leftBehind = await world.holdfast(['run', '--no-sandbox', '--', 'sh', '-c', 'setsid sleep 3217 & echo said; exit 3'])
    expect(leftBehind).toMatchObject({ code: 3, stdout: 'said\n' })
    const signalled = await world.holdfast(['run', '--no-sandbox', '--', 'sh', '-c', 'kill -SEGV $$'])
    expect(signalled.code).toBe(139)
  })

  it('pauses for a review when the profile says so, goes on when a person resumes, and counts its calls by the minute', async () => {
    world = await createScriptedWorld(() => [bash('echo one > one.txt'), bash('echo two > two.txt')])
    const here = world
    const profile = join(here.holdfastHome, 'config', 'profiles', 'test.yaml')
    const limits = 'limits: { reviewEvery: { calls: 1 }, toolCallsPerMinute: 100, modelRequestsPerMinute: 100 }'
    writeFileSync(profile, `agent: tester\nmodel: { key: agent/test, baseUrl: "${here.model.baseUrl}" }\n${limits}\npolicy: { allow: [Bash] }\n`)
    await here.holdfast(['up'])
    const client = await here.client()
    const paused = nextEvent(client, 'session/changed', ({ state }) => state === 'paused')
    const session = here.start(['run', '--profile', 'test', '--', 'claude', '-p', 'Do it.'])
    session.child.stdin?.end()
    const { id, reason, toolCalls } = await paused
    expect(reason).toBe('review due after 1 tool call: look at what was done, then resume')
    expect(toolCalls.total).toBe(1)
    expect((await client.call('checkpoint/list', { sessionId: id })).checkpoints.map((one) => one.reason)).toEqual(['start', 'review'])
    const again = nextEvent(client, 'session/changed', ({ state }) => state === 'paused')
    expect((await here.holdfast(['resume', id])).stdout).toContain('is running')
    expect((await again).toolCalls.total).toBe(2)
    const over = nextEvent(client, 'session/changed', ({ state }) => isOver(state))
    await here.holdfast(['resume', id])
    expect((await over).state).toBe('ended')
    expect((await session.finished).code).toBe(0)
    client.close()
  })
})
