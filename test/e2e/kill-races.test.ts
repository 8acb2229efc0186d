import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { aliveWith } from '../fixtures/containers.ts'
import { createScriptedWorld } from '../support/script.ts'
import { missingForEndToEnd, nextEvent, type World } from '../support/world.ts'

const missing = missingForEndToEnd()

let world: World | null = null
afterEach(async () => {
  await world?.end()
  world = null
})

describe.skipIf(missing !== null)(`a kill at a bad moment${missing === null ? '' : ` (missing: ${missing})`}`, () => {
  it('in the middle of a launch: nothing of the command is left, whatever had begun', async () => {
    const here = (world = await createScriptedWorld(() => []))
    await here.holdfast(['up'])
    const client = await here.client()
    const marker = `31${process.pid}.77`
    const starting = nextEvent(client, 'session/changed', ({ state }) => state === 'starting')
    const session = here.start(['run', '--profile', 'test', '--', 'sh', '-c', `sleep ${marker}; touch made`])
    session.child.stdin?.end()
    const { id } = await starting
    const { reports } = await client.call('session/kill', { sessionIds: [id], keepChanges: false })
    expect(reports.map(({ survivors }) => survivors)).toEqual([[]])
    expect((await session.finished).code).not.toBe(0)
    expect(aliveWith(marker)).toEqual([])
    expect(existsSync(join(here.project, 'made'))).toBe(false)
    const { sessions } = await client.call('session/list', {})
    expect(sessions.map(({ state }) => state)).toEqual([expect.stringMatching(/^(killed|ended|failed)$/)])
    client.close()
  })

  it('again while the first puts the folder back: one revert, both told, one undo', async () => {
    const here = (world = await createScriptedWorld(() => []))
    for (let index = 0; index < 300; index += 1) writeFileSync(join(here.project, `file-${index}`), 'before\n')
    await here.holdfast(['up'])
    const client = await here.client()
    const session = here.start(['run', '--profile', 'test', '--', 'sh', '-c', 'for f in file-*; do echo after > $f; done; echo changed; sleep 300'])
    session.child.stdin?.end()
    while (!session.printed().stdout.includes('changed')) await new Promise((resolve) => setTimeout(resolve, 20))
    const [{ id = undefined } = {}] = (await client.call('session/list', {})).sessions
    if (id === undefined) throw new Error('no session')
    const killing = nextEvent(client, 'session/changed', ({ state }) => state === 'killing')
    const first = client.call('session/kill', { sessionIds: [id], keepChanges: false })
    await killing
    const [one, two, cli] = await Promise.all([first, client.call('session/kill', { sessionIds: [id], keepChanges: false }), here.holdfast(['kill', id])])
    expect(cli.code).toBe(0)
    expect(two.reports.length === 0 ? one.reports : two.reports).toEqual(one.reports)
    expect(one.reports).toMatchObject([{ survivors: [], restoreProblem: null }])
    expect((await session.finished).code).toBe(137)
    const contents = (): Set<string> => new Set(Array.from({ length: 300 }, (_, index) => readFileSync(join(here.project, `file-${index}`), 'utf8')))
    expect(contents()).toEqual(new Set(['before\n']))
    expect((await here.holdfast(['undo', id])).code).toBe(0)
    expect(contents()).toEqual(new Set(['after\n']))
    expect((await here.holdfast(['undo', id])).code).not.toBe(0)
    client.close()
  })
})
