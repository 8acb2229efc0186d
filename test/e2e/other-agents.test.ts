import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import type { LedgerEntry } from '../../shared/contract/schemas/ledger.ts'
import { type OpenAiModel, type OpenAiRequest, OPENAI_USAGE, startOpenAiModel } from '../support/openai-model.ts'
import { createWorld, KEY, missingForEndToEnd, nextEvent, type World } from '../support/world.ts'

const OPENCODE = fileURLToPath(new URL('../node_modules/opencode-linux-x64/bin/opencode', import.meta.url))
/** Its package is 404 MB, so that no test run downloads it: the tests take one that is here. */
const CODEX = process.env['HOLDFAST_TEST_CODEX'] ?? ''

const AGENTS = [
  {
    name: 'opencode',
    file: OPENCODE,
    command: ['opencode', 'run', '--model', 'holdfast/gpt-5', 'Do it.'],
    path: '/v1/chat/completions',
    call: (command: string) => ({ name: 'bash', arguments: { command, description: 'a step' } }),
    results: ({ messages }: OpenAiRequest) => (messages as { role: string; content: unknown }[]).filter(({ role }) => role === 'tool').map(({ content }) => JSON.stringify(content)),
  },
  {
    name: 'codex',
    file: CODEX,
    command: ['codex', 'exec', '--skip-git-repo-check', '--model', 'gpt-5', 'Do it.'],
    path: '/v1/responses',
    call: (command: string) => ({ name: 'exec_command', arguments: { cmd: command } }),
    results: ({ input }: OpenAiRequest) => (input as { type: string; output: unknown }[]).filter(({ type }) => type === 'function_call_output').map(({ output }) => JSON.stringify(output)),
  },
]

let world: World | null = null
let model: OpenAiModel | null = null
afterEach(async () => {
  await world?.end()
  await model?.close()
  world = null
})

const missing = missingForEndToEnd()

for (const { name, file, command, path, call, results } of AGENTS) {
  const lacks = missing ?? (existsSync(file) ? null : `the real ${name}`)
  describe.skipIf(lacks !== null)(`the real ${name} through the gateway${lacks === null ? '' : ` (missing: ${lacks})`}`, () => {
    it('runs a harmless call unasked, one that is denied never, and one that is asked about once a person says yes; all is metered', { timeout: 120_000 }, async () => {
      const commands = ['echo one > one.txt', 'touch denied.txt', 'find build -delete']
      const started = (model = await startOpenAiModel((request) => {
        if (request['tools'] === undefined) return { text: 'A title' }
        const next = commands[results(request).length]
        return next === undefined ? { text: 'All done.' } : { text: 'I go on.', calls: [call(next)] }
      }, KEY))
      const here = (world = await createWorld(() => ({ content: [] }), { programs: { [name]: file } }))
      await writeFile(
        join(here.holdfastHome, 'config', 'profiles', 'test.yaml'),
        `agent: tester\nmodel: { key: agent/test, baseUrl: "${started.baseUrl}" }\nlimits: { spendUsd: 5 }\npolicy: { deny: ["Bash(touch denied.txt)"] }\n`,
      )
      await here.holdfast(['up'])
      const client = await here.client()
      const asked = nextEvent(client, 'approval/changed', ({ state }) => state === 'waiting')
      const session = here.start(['run', '--profile', 'test', '--', ...command])
      session.child.stdin?.end()
      const first = await Promise.race([asked, session.finished])
      if (!('bindingHash' in first)) throw new Error(`ended before it asked: ${first.stdout} ${first.stderr}`)
      expect(first).toMatchObject({ tool: 'Bash', input: { command: 'find build -delete' }, words: { text: 'I go on.' } })
      expect(existsSync(join(here.project, 'one.txt'))).toBe(true)
      expect(existsSync(join(here.project, 'build', 'out.txt'))).toBe(true)
      await client.call('approval/decide', { approvalId: first.id, bindingHash: first.bindingHash, answer: 'approve', scope: 'once' })
      const { code, stdout, stderr } = await session.finished
      expect([code, `${stdout}${stderr}`]).toEqual([0, expect.stringContaining('All done.')])
      expect(existsSync(join(here.project, 'build'))).toBe(false)
      expect(existsSync(join(here.project, 'denied.txt'))).toBe(false)

      const turns = started.requests.filter(({ path: at, body }) => at === path && body['tools'] !== undefined)
      const last = turns.at(-1)?.body
      if (last === undefined) throw new Error('no request')
      expect(results(last)[1]).toContain("Denied by Holdfast's policy")
      expect(JSON.stringify(last)).not.toContain('HoldfastDenied')
      expect(turns.every(({ headers }) => headers.authorization === `Bearer ${KEY}`)).toBe(true)
      const { sessions } = await client.call('session/list', {})
      expect(sessions[0]?.usage).toMatchObject({ requests: started.requests.length, hasUnknownPrice: false, tokens: { output: started.requests.length * OPENAI_USAGE.output } })
      const { stdout: ledger } = await here.holdfast(['ledger', 'tail', '--json', '--lines', '500'])
      const entries = ledger.trim().split('\n').map((line) => JSON.parse(line) as LedgerEntry)
      expect(entries.filter(({ kind }) => kind === 'tool-call/proposed')).toHaveLength(3)
      expect(entries.filter(({ kind }) => kind === 'tool-call/outcome').map(({ body }) => body['ok'])).toEqual([true, true])
      client.close()
    })
  })
}
