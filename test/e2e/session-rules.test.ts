import { existsSync } from 'node:fs'
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

describe.skipIf(missing !== null)(`rules for one session${missing === null ? '' : ` (missing: ${missing})`}`, () => {
  it('hold in it, are explained with where they come from, and are gone with it', async () => {
    const here = (world = await createScriptedWorld(() => [bash('rm -rf build'), bash('echo denied > denied.txt'), bash('echo asked > asked.txt'), bash('echo asked again > again.txt')]))
    await here.holdfast(['up'])
    const client = await here.client()
    const question = nextEvent(client, 'approval/changed', ({ state }) => state === 'waiting')
    const session = here.start(['run', '--profile', 'test', '--allow', 'Bash(rm -rf build)', '--deny', 'Bash(echo denied:*)', '--ask', 'Bash(echo asked:*)', '--', 'claude', '-p', 'Do it.'])
    session.child.stdin?.end()
    const request = await question
    expect(request.input).toMatchObject({ command: 'echo asked > asked.txt' })
    expect(request.decision.rules).toContainEqual({ rule: 'Bash(echo asked:*)', effect: 'ask', source: 'given for this session' })
    expect(existsSync(join(here.project, 'build'))).toBe(false)
    expect(existsSync(join(here.project, 'denied.txt'))).toBe(false)
    const explain = ['policy', 'explain', '--tool', 'Bash', '--input', '{"command":"rm -rf build"}', '--json']
    expect(JSON.parse((await here.holdfast([...explain, '--session', request.sessionId])).stdout)).toMatchObject({
      effect: 'allow', granted: null, rules: [{ rule: 'Bash(rm -rf build)', effect: 'allow', source: 'given for this session', layer: 'session' }],
    })
    expect(JSON.parse((await here.holdfast([...explain, '--profile', 'test'])).stdout)).toMatchObject({ effect: 'ask' })
    const again = ['policy', 'explain', '--tool', 'Bash', '--input', JSON.stringify(request.input), '--session', request.sessionId]
    const next = nextEvent(client, 'approval/changed', ({ id, state }) => state === 'waiting' && id !== request.id)
    expect((await here.holdfast(['approve', request.id, '--scope', 'session'])).code).toBe(0)
    const { id: other } = await next
    expect((await here.holdfast(again)).stdout).toContain('granted   by an answer for this session')
    expect((await here.holdfast(['deny', other, '--reason', 'Once is enough.'])).code).toBe(0)
    expect((await session.finished).code).toBe(0)
    expect(existsSync(join(here.project, 'asked.txt'))).toBe(true)
    expect(toolResults(here).join()).toContain("Denied by Holdfast's policy")
    expect((await here.holdfast([...explain, '--session', request.sessionId])).code).toBe(1)
    client.close()
  })

  it('that are none start no session', async () => {
    const here = (world = await createScriptedWorld(() => []))
    const { code, stderr } = await here.holdfast(['run', '--deny', 'Bsh(rm:*)', '--', 'claude', '-p', 'Do it.'])
    expect(code).not.toBe(0)
    expect(stderr).toContain('did you mean Bash?')
    expect((await here.holdfast(['sessions', '--json'])).stdout).toContain('"sessions":[]')
  })
})
