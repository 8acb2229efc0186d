import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SessionId } from '../../shared/contract/ids.ts'
import { createToolPins } from '../../shared/core/broker/tool-pins.ts'
import { resolvePaths } from '../../shared/core/paths.ts'
import { missingPrograms } from '../fixtures/keyring/session.ts'
import { createMemoryLedger } from '../support/fakes.ts'
import { createWorld, type World } from '../support/world.ts'

const missing = process.platform === 'linux' ? missingPrograms() : ['Linux']
const TOKEN = `ghp_${'e2e'.repeat(12)}`

let here: World
const json = async (...args: string[]): Promise<Record<string, unknown>> => JSON.parse((await here.holdfast([...args, '--json'])).stdout) as Record<string, unknown>

describe.skipIf(missing.length > 0)(`secrets and servers, with a real keychain${missing.length > 0 ? ` (missing: ${missing.join(', ')})` : ''}`, () => {
  beforeAll(async () => {
    here = await createWorld(() => Promise.reject(new Error('no model is asked here')))
  })
  afterAll(() => here.end())

  it('moves a credential out of a .mcp.json into the keychain, keeps the file first, and puts it back', async () => {
    const file = join(here.project, '.mcp.json')
    const before = `{ "mcpServers": { "github": { "command": "npx", "env": { "GITHUB_TOKEN": "${TOKEN}" } } } }\n`
    writeFileSync(file, before)
    chmodSync(file, 0o640)
    expect(await here.holdfast(['secret', 'move'])).toMatchObject({ code: 2, stderr: expect.stringContaining('add --yes') })
    expect(readFileSync(file, 'utf8')).toBe(before)

    const moved = await here.holdfast(['secret', 'move', '--yes', '--json'])
    expect(JSON.parse(moved.stdout)).toMatchObject({ id: expect.any(String), moved: [{ server: 'github', variable: 'GITHUB_TOKEN', name: 'agent/github-github-token' }] })
    expect(moved.stdout + moved.stderr).not.toContain(TOKEN)
    expect(readFileSync(file, 'utf8')).toBe(before.replace(`"GITHUB_TOKEN": "${TOKEN}"`, '"GITHUB_TOKEN_SECRET": "agent/github-github-token"'))
    expect(statSync(file).mode & 0o777).toBe(0o640)
    const { secrets } = (await json('secret', 'list')) as { secrets: { name: string }[] }
    expect(secrets.map(({ name }) => name)).toContain('agent/github-github-token')

    expect(await here.holdfast(['audit', '--undo'])).toMatchObject({ code: 0 })
    expect(readFileSync(file, 'utf8')).toBe(before)
  })

  it('lists servers that were used, shows what changed in a tool that is stopped, and lets it be used again', async () => {
    expect((await here.holdfast(['servers', 'review', 'github'])).stderr).toContain('No MCP server github was used here')
    const { data, toolPins: file } = resolvePaths({ HOLDFAST_HOME: here.holdfastHome })
    expect(file.startsWith(data)).toBe(true)
    await here.holdfast(['down'])
    const pins = createToolPins({ file, clock: { now: () => 0 }, ledger: createMemoryLedger(), raiseAlarm: () => undefined })
    const tool = (description: string) => [{ name: 'create_pr', description, inputSchema: { type: 'object' as const } }]
    const use = (description: string) => pins.admit({ sessionId: SessionId.parse('ses_bcdfghjkmnpq'), server: { key: 'github@abc', name: 'github', launch: 'npx github' }, tools: tool(description), others: [] })
    use('Opens a pull request')
    use('Opens a pull request, and more')

    expect((await here.holdfast(['servers'])).stdout).toMatch(/^SERVER +TOOLS +STOPPED .*\ngithub@abc +1 +1 /)
    const review = (await here.holdfast(['servers', 'review', 'github'])).stdout
    expect(review).toContain('create_pr: its definition has changed')
    expect(review).toContain('  -   "description": "Opens a pull request",')
    expect(review).toContain('  +   "description": "Opens a pull request, and more",')
    const [, wanted = ''] = /accept it with its hash: (create_pr=[0-9a-f]{12})/.exec(review) ?? []
    expect(await here.holdfast(['servers', 'accept', 'github', 'create_pr=000000000000'])).toMatchObject({ code: 1, stderr: expect.stringContaining('is not stopped as you saw it') })
    expect(await here.holdfast(['servers', 'accept', 'github', wanted])).toMatchObject({ code: 0, stdout: 'create_pr is accepted.\n' })
    expect((await here.holdfast(['servers', 'review', 'github'])).stdout).toContain('No tool of github@abc is stopped.')
  })
})
