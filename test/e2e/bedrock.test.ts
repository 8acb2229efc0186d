import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { scriptedTurns } from '../../shared/core/demo/stand-in-model.ts'
import { startBedrock } from '../support/bedrock.ts'
import { bash, createScriptedWorld } from '../support/script.ts'
import { missingForEndToEnd } from '../support/world.ts'

const missing = missingForEndToEnd()
const KEY = 'bedrock-api-key-end-to-end-canary'

const toClose: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of toClose.splice(0).toReversed()) await close()
})

describe.skipIf(missing !== null)(`a model of Bedrock, with the real Claude Code${missing === null ? '' : ` (missing: ${missing})`}`, () => {
  it('works with a key that the agent never has; a denied call never runs; without a credential, or for another agent, nothing starts', async () => {
    const here = await createScriptedWorld(() => [])
    toClose.push(here.end)
    const bedrock = await startBedrock(scriptedTurns([bash('env > env.txt'), bash('touch canary.txt')]))
    toClose.push(bedrock.close)
    writeFileSync(join(here.holdfastHome, 'config', 'profiles', 'cloud.yaml'), `agent: tester\nmodel: { provider: bedrock, region: eu-west-1, baseUrl: "${bedrock.baseUrl}" }\npolicy: { allow: [Bash], deny: ["Bash(touch canary.txt)"] }\n`)
    const run = (...command: string[]) => here.holdfast(['run', '--profile', 'cloud', '--', ...command])
    expect((await run('claude', '-p', 'Do it.')).stderr).toContain('The profile names the key agent/bedrock, and the keychain has none of that name.')
    await here.holdfast(['secret', 'set', 'agent/bedrock'], { input: 'sk-ant-api03-of-another-provider' })
    expect((await run('claude', '-p', 'Do it.')).stderr).toContain('What is kept as agent/bedrock is no credential for Bedrock.')
    await here.holdfast(['secret', 'set', 'agent/bedrock'], { input: KEY })
    expect((await run('true')).stderr).toContain('which only Claude Code can use')
    expect(bedrock.requests).toEqual([])

    const { code, stdout } = await run('claude', '-p', 'Do it.')
    expect([code, stdout]).toEqual([0, 'Done.\n'])
    expect(new Set(bedrock.requests.map(({ headers }) => headers.authorization))).toEqual(new Set([`Bearer ${KEY}`]))
    expect(here.git('status', '--short', '--untracked-files=all')).not.toContain('canary.txt')
    expect(readFileSync(join(here.project, 'env.txt'), 'utf8')).toContain('CLAUDE_CODE_USE_BEDROCK=1')
    const ledger = (await here.holdfast(['ledger', 'export'])).stdout
    expect(ledger).toContain('aws.bedrock')
    for (const text of [readFileSync(join(here.project, 'env.txt'), 'utf8'), ledger, JSON.stringify(bedrock.requests.map(({ body }) => body.toString()))]) expect(text).not.toContain(KEY)
  })
})
