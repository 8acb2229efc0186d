import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { createScriptedWorld } from '../support/script.ts'
import { missingForEndToEnd, nextEvent, type World } from '../support/world.ts'

const missing = missingForEndToEnd()

let world: World | null = null
afterEach(async () => {
  await world?.end()
  world = null
})

describe.skipIf(missing !== null)(`a repository that a session makes, and that runs commands${missing === null ? '' : ` (missing: ${missing})`}`, () => {
  it('pauses the session at once, is told of, and never runs by git status of the user; a revert takes it away', async () => {
    const here = (world = await createScriptedWorld(() => []))
    const canary = join(here.folder, 'ran')
    await here.holdfast(['up'])
    const client = await here.client()
    const alarm = nextEvent(client, 'alarm/raised', ({ message }) => message.includes('made a git repository'))
    const paused = nextEvent(client, 'session/changed', ({ state }) => state === 'paused')
    const identity = "-c user.name=A -c user.email=a@b"
    const script = `git init -q sub && git -C sub ${identity} commit -q --allow-empty -m x && git add sub && git -C sub config core.fsmonitor 'touch ${canary}; false'; sleep 300`
    const session = here.start(['run', '--profile', 'test', '--', 'sh', '-c', script])
    session.child.stdin?.end()
    const { id, reason } = await paused
    const { message } = await alarm
    const status = spawnSync('git', ['-C', here.project, 'status', '--porcelain'], { env: { PATH: '/usr/bin:/bin', HOME: here.home }, encoding: 'utf8' })
    expect(status).toMatchObject({ status: 0 })
    expect(existsSync(canary)).toBe(false)
    expect(message).toContain(`${join(here.project, 'sub', '.git')}, that makes git run commands (core.fsmonitor)`)
    expect(message).toContain(`put aside as ${join(here.project, 'sub', '.git.held-')}`)
    expect(reason).toBe(message)
    expect((await here.holdfast(['kill', id])).code).toBe(0)
    expect((await session.finished).code).toBe(137)
    expect(existsSync(join(here.project, 'sub'))).toBe(false)
    client.close()
  })
})
