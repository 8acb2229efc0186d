import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EVERYTHING_SERVER, nodeServer, openHarness, SHIM, TOKEN } from '../fixtures/servers/broker-session.ts'
import type { Harness } from '../fixtures/servers/broker-session.ts'

const FILESYSTEM_SERVER = fileURLToPath(import.meta.resolve('@modelcontextprotocol/server-filesystem/dist/index.js'))
const INSPECTOR = fileURLToPath(import.meta.resolve('@modelcontextprotocol/inspector-cli/package.json'))

let folder: string
let harness: Harness

beforeAll(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-programs-')))
  mkdirSync(join(folder, 'open'))
  mkdirSync(join(folder, 'closed'))
  writeFileSync(join(folder, 'closed', 'a.txt'), 'not for the agent')
  harness = await openHarness({ files: nodeServer(FILESYSTEM_SERVER, {}, [join(folder, 'open')]), everything: nodeServer(EVERYTHING_SERVER, {}, ['stdio']) })
})
afterAll(async () => {
  await harness.close()
  rmSync(folder, { recursive: true, force: true })
})

describe.each(['direct', 'brokered'] as const)('server-filesystem, %s', (way) => {
  let client: Client
  beforeAll(async () => {
    if (way === 'brokered') return void ({ client } = await harness.agent())
    client = new Client({ name: 'agent', version: '1.0.0' })
    await client.connect(new StdioClientTransport({ ...nodeServer(FILESYSTEM_SERVER, {}, [join(folder, 'open')]), stderr: 'ignore' }))
  })
  afterAll(() => client.close())
  const call = async (tool: string, args: Record<string, unknown>) => {
    const { content, isError } = await client.callTool({ name: way === 'direct' ? tool : `files__${tool}`, arguments: args })
    return { text: content.map((block) => (block.type === 'text' ? block.text : '')).join(''), isError: isError === true }
  }

  test('writes, edits, reads, lists and moves', async () => {
    const at = (name: string) => join(folder, 'open', `${way}-${name}`)
    expect((await call('write_file', { path: at('a.txt'), content: 'one\ntwo\n' })).isError).toBe(false)
    expect((await call('edit_file', { path: at('a.txt'), edits: [{ oldText: 'two', newText: 'three' }] })).text).toContain('+three')
    expect(readFileSync(at('a.txt'), 'utf8')).toBe('one\nthree\n')
    expect(await call('read_text_file', { path: at('a.txt') })).toEqual({ text: 'one\nthree\n', isError: false })
    expect((await call('move_file', { source: at('a.txt'), destination: at('b.txt') })).isError).toBe(false)
    expect((await call('list_directory', { path: join(folder, 'open') })).text).toContain(`[FILE] ${way}-b.txt`)
  })

  test('refuses what lies outside its folder', async () => {
    const refused = await call('read_text_file', { path: join(folder, 'closed', 'a.txt') })
    expect(refused.isError).toBe(true)
    expect(refused.text).toContain('Access denied')
  })
})

describe('the command line of MCP’s Inspector', () => {
  let program: string
  beforeAll(() => {
    // Its package looks for a file above itself, as it lies in its own repository.
    program = join(folder, 'inspector', 'cli', 'build', 'index.js')
    cpSync(join(dirname(INSPECTOR), 'build'), dirname(program), { recursive: true })
    cpSync(INSPECTOR, join(folder, 'inspector', 'package.json'))
    symlinkSync(dirname(dirname(dirname(INSPECTOR))), join(folder, 'inspector', 'node_modules'))
  })
  const inspect = async (...args: string[]): Promise<Record<string, unknown>> => {
    const env = { PATH: process.env['PATH'] ?? '', HOLDFAST_BROKER_SOCKET: harness.socketPath, HOLDFAST_SESSION_TOKEN: TOKEN }
    const { stdout } = await promisify(execFile)(process.execPath, [program, process.execPath, SHIM, ...args], { env })
    return JSON.parse(stdout) as Record<string, unknown>
  }

  test('lists tools, resources and prompts, calls a tool and reads a resource through the broker', async () => {
    const { tools } = (await inspect('--method', 'tools/list')) as { tools: { name: string }[] }
    expect(tools.map(({ name }) => name)).toEqual(expect.arrayContaining(['status', 'everything__echo', 'files__read_text_file']))
    expect(await inspect('--method', 'tools/call', '--tool-name', 'everything__echo', '--tool-arg', 'message=ahoy')).toEqual({ content: [{ type: 'text', text: 'Echo: ahoy' }] })
    const { resources } = (await inspect('--method', 'resources/list')) as { resources: { uri: string }[] }
    expect((await inspect('--method', 'resources/read', '--uri', resources[0]?.uri ?? ''))['contents']).toMatchObject([{ uri: resources[0]?.uri }])
    expect(await inspect('--method', 'prompts/get', '--prompt-name', 'everything__args-prompt', '--prompt-args', 'city=Wien')).toMatchObject({ messages: [{ role: 'user' }] })
  })
})
