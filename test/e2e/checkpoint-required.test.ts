import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { bash, createScriptedWorld } from '../support/script.ts'
import { missingForEndToEnd, nextEvent, type World } from '../support/world.ts'

const missing = missingForEndToEnd()

let world: World | null = null
afterEach(async () => {
  await world?.end()
  world = null
})

describe.skipIf(missing !== null)(`a session and its first checkpoint${missing === null ? '' : ` (missing: ${missing})`}`, () => {
  it('does not start when none can be taken, and says why and how to start all the same', async () => {
    world = await createScriptedWorld(() => [])
    const folder = join(world.holdfastHome, 'data', 'checkpoints')
    await world.holdfast(['sessions'])
    renameSync(folder, `${folder}-away`)
    writeFileSync(folder, 'not a folder')
    const refused = await world.holdfast(['run', '--', 'touch', 'made'])
    expect(refused.code).not.toBe(0)
    expect(refused.stderr).toContain('holdfast run --no-checkpoint')
    const told = await world.holdfast(['run', '--no-checkpoint', '--', 'sh', '-c', 'echo ran'])
    expect(told).toMatchObject({ code: 0, stdout: 'ran\n' })
    expect(told.stderr).toContain('NO CHECKPOINT')
  })

  it('keeps one more before a destructive call, and a revert leaves what the user changed while no call ran', async () => {
    world = await createScriptedWorld(() => [bash('echo agent > agent.txt'), bash('git push -q ../remote HEAD:main'), bash('rm -rf README.md')])
    const here = world
    const profile = join(here.holdfastHome, 'config', 'profiles', 'test.yaml')
    writeFileSync(profile, `agent: tester\nmodel: { key: agent/test, baseUrl: "${here.model.baseUrl}" }\npolicy: { allow: [Bash] }\n`)
    await here.holdfast(['up'])
    const client = await here.client()
    const asked = nextEvent(client, 'approval/changed', ({ state }) => state === 'waiting')
    const session = here.start(['run', '--profile', 'test', '--', 'claude', '-p', 'go'])
    session.child.stdin?.end()
    await here.holdfast(['approve', (await asked).id])
    expect(await session.finished).toMatchObject({ code: 0 })
    client.close()
    const { sessions } = JSON.parse((await here.holdfast(['sessions', '--json'])).stdout) as { sessions: { id: string }[] }
    const id = sessions[0]?.id ?? ''
    writeFileSync(join(here.project, 'users.txt'), 'user\n')
    const { checkpoints } = JSON.parse((await here.holdfast(['checkpoint', 'list', id, '--json'])).stdout) as { checkpoints: { id: string; reason: string }[] }
    expect(checkpoints.map(({ reason }) => reason)).toContain('before-destructive')
    expect((await here.holdfast(['checkpoint', 'list', id])).stdout).toMatch(/\d checkpoints of \S+project take [\d,]+ KiB on disk/)
    const preview = (await here.holdfast(['checkpoint', 'diff', id, checkpoints[0]?.id ?? ''])).stdout
    expect(preview).toContain('README.md')
    expect(preview).toContain('No checkpoint takes back: Bash: git push -q ../remote HEAD:main')
    const restored = await here.holdfast(['checkpoint', 'restore', id, checkpoints[0]?.id ?? '', '--json'])
    const report = JSON.parse(restored.stdout) as { written: string[]; deleted: string[]; leftAlone: string[] }
    expect(report).toMatchObject({ written: ['README.md'], deleted: ['agent.txt'], leftAlone: ['users.txt'] })
  }, 120_000)
})
