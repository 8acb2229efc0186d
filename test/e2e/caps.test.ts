import { afterEach, describe, expect, it } from 'vitest'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { bash, createScriptedWorld } from '../support/script.ts'
import { missingForEndToEnd, nextEvent, type World } from '../support/world.ts'

const missing = missingForEndToEnd()

let world: World | null = null
afterEach(async () => {
  await world?.end()
  world = null
})

describe.skipIf(missing !== null)(`caps, with the real Claude Code${missing === null ? '' : ` (missing: ${missing})`}`, () => {
  it('a request that waits at its cap goes on when a person raises the cap, and the conversation with it', async () => {
    const here = (world = await createScriptedWorld(() => [bash('echo one > one.txt')]))
    const limits = 'limits: { spendUsd: 0.3, atCap: wait }'
    await writeFile(join(here.holdfastHome, 'config', 'profiles', 'test.yaml'), `agent: tester\nmodel: { key: agent/test, baseUrl: "${here.model.baseUrl}" }\n${limits}\n`)
    await here.holdfast(['up'])
    const client = await here.client()
    const asked = nextEvent(client, 'approval/changed', ({ state, tool }) => state === 'waiting' && tool === 'Spend')
    const session = here.start(['run', '--profile', 'test', '--', 'claude', '-p', 'Do it.'])
    session.child.stdin?.end()
    const { id: approvalId, bindingHash, input } = await asked
    expect(input).toMatchObject({ raise: "this session's $0.30 spend cap", from: '$0.30', why: expect.stringContaining('could cost up to') })
    expect(here.model.requests.filter(({ path }) => path === '/v1/messages')).toEqual([])
    client.on('approval/changed', ({ id, bindingHash: hash, state, tool }) => {
      if (state === 'waiting' && tool === 'Spend') void client.call('approval/decide', { approvalId: id, bindingHash: hash, answer: 'approve', scope: 'once' })
    })
    await client.call('approval/decide', { approvalId, bindingHash, answer: 'approve', scope: 'once' })
    const { code, stdout } = await session.finished
    expect([code, stdout]).toEqual([0, 'Done.\n'])
    const { sessions } = await client.call('session/list', {})
    expect(sessions[0]?.usage.capMicroUsd).toBeGreaterThan(300_000)
    client.close()
  })
})
