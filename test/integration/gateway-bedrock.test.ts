import { execFile } from 'node:child_process'
import { createHash, createHmac } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { SignatureV4 } from '@smithy/signature-v4'
import { describe, expect, test } from 'vitest'
import { createBedrock } from '../../shared/core/gateway/bedrock.ts'
import { type Script, scriptedTurns } from '../../shared/core/demo/stand-in-model.ts'
import { bedrockEnvironment } from '../../shared/core/agents/claude-code/settings.ts'
import { withOwnPrices } from '../../shared/domain/price.ts'
import { PRICE_TABLE } from '../../shared/domain/price-table.ts'
import { trustingGuard } from '../fixtures/guard.ts'
import { CLAUDE, claudeEnv, createPlace, hasClaude } from '../support/bare-claude.ts'
import { startBedrock } from '../support/bedrock.ts'
import { bash } from '../support/script.ts'
import { startGateway } from './gateway-fixture.ts'
import { closing } from './gateway-harness.ts'

const API_KEY = 'bedrock-api-key-canary'
const MODEL = 'eu.anthropic.claude-opus-5-5'
const ACCESS = { Version: 1, AccessKeyId: 'AKIDEXAMPLEEXAMPLE', SecretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY', SessionToken: 'session+token/canary==' }
const REGION = 'eu-west-1'
const cloud = createBedrock({ region: REGION, keyName: 'agent/bedrock' })

const start = async (script: Script, params: Partial<Parameters<typeof startGateway>[0]> & { key?: string } = {}) => {
  const bedrock = closing(await startBedrock(script))
  const { key = API_KEY, ...rest } = params
  return { bedrock, gateway: closing(await startGateway({ upstreamBaseUrl: bedrock.baseUrl, cloud, resolveKey: async () => key, ...rest })) }
}
const ask = (baseUrl: string, path = `/model/${MODEL}/invoke-with-response-stream`, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${baseUrl}${path}`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify({ anthropic_version: 'bedrock-2023-05-31', max_tokens: 100, tools: [{ name: 'Bash' }], messages: [{ role: 'user', content: 'hi' }] }) })

test('an answer of Bedrock passes to the byte, and is metered by the name that it is billed by; the key is put in, and what would change the price is not passed', async () => {
  const prices = withOwnPrices(PRICE_TABLE, { [MODEL]: { input: 1, output: 10 } })
  const { bedrock, gateway } = await start(scriptedTurns([{ content: [{ type: 'text', text: 'Grüezi ✓' }, ...bash('true').content], usage: { input: 1_000, output: 100, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0 } }]), { priceTable: prices })
  const answer = await ask(gateway.baseUrl, undefined, { authorization: 'Bearer of-the-agent', 'x-amzn-bedrock-service-tier': 'priority', 'x-amz-security-token': 'of-the-agent' })
  expect(Buffer.from(await answer.arrayBuffer()).equals(bedrock.requests[0]?.answer ?? Buffer.alloc(0))).toBe(true)
  expect(answer.headers.get('content-type')).toBe('application/vnd.amazon.eventstream')
  expect(bedrock.requests[0]?.headers).toMatchObject({ authorization: `Bearer ${API_KEY}` })
  expect(Object.keys(bedrock.requests[0]?.headers ?? {}).filter((name) => name.startsWith('x-amz'))).toEqual([])
  await gateway.settled()
  expect(gateway.meter.usage()).toMatchObject({ costMicroUsd: 2_000, hasUnknownPrice: false, byModel: [{ model: MODEL }] })
  expect(JSON.stringify(gateway.entries)).not.toContain(API_KEY)
  const [outcome] = gateway.entries.filter(({ kind }) => kind === 'model-request/outcome')
  expect(outcome?.body).toMatchObject({ provider: 'aws.bedrock', model: MODEL, ended: 'whole' })
})

test('a price that is not known is unknown, never that of Anthropic’s own model', async () => {
  const { gateway } = await start(scriptedTurns([], 'Hello.'))
  await (await ask(gateway.baseUrl)).arrayBuffer()
  await gateway.settled()
  expect(gateway.meter.usage()).toMatchObject({ hasUnknownPrice: true, costMicroUsd: 0 })
})

const sha256 = class {
  readonly #hash
  constructor(key?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = key === undefined ? createHash('sha256') : createHmac('sha256', key as Uint8Array)
  }
  update(bytes: Uint8Array | string): void {
    this.#hash.update(bytes)
  }
  digest = (): Promise<Uint8Array> => Promise.resolve(new Uint8Array(this.#hash.digest()))
  reset(): void {}
}

test.each(['anthropic.claude-opus-4-5-20251101-v1%3A0', 'arn%3Aaws%3Abedrock%3Aeu-west-1%3A123456789012%3Ainference-profile%2Feu.anthropic.claude-opus-5-5'])('a request for %s is signed as AWS’s own library signs it', async (model) => {
  const { bedrock, gateway } = await start(scriptedTurns([], 'Hello.'), { key: JSON.stringify(ACCESS) })
  await (await ask(gateway.baseUrl, `/model/${model}/invoke`)).arrayBuffer()
  const { path, headers, body } = bedrock.requests[0] ?? { path: '', headers: {} as Record<string, string>, body: Buffer.alloc(0) }
  const signer = new SignatureV4({ service: 'bedrock', region: REGION, sha256, applyChecksum: false, credentials: { accessKeyId: ACCESS.AccessKeyId, secretAccessKey: ACCESS.SecretAccessKey, sessionToken: ACCESS.SessionToken } })
  const date = String(headers['x-amz-date']).replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z')
  const theirs = await signer.sign({ method: 'POST', protocol: 'http:', hostname: '127.0.0.1', path, query: {}, headers: { host: headers.host ?? '', 'content-type': 'application/json' }, body }, { signingDate: new Date(date) })
  expect(headers.authorization).toBe(theirs.headers['authorization'])
  expect(headers['x-amz-security-token']).toBe(ACCESS.SessionToken)
  expect(JSON.stringify(bedrock.requests)).not.toContain(ACCESS.SecretAccessKey)
})

test.each<[string, string, string]>([
  ['has ended', JSON.stringify({ ...ACCESS, Expiration: '2020-01-01T00:00:00Z' }), 'The AWS credential kept as agent/bedrock ended at 2020-01-01T00:00:00Z. Keep a new one: aws configure export-credentials | holdfast secret set agent/bedrock'],
  ['is a key of Anthropic’s', 'sk-ant-api03-canary-canary', 'What is kept as agent/bedrock is no credential for Bedrock.'],
  ['is half of one', 'AKIDEXAMPLEEXAMPLE {', 'What is kept as agent/bedrock is no credential for Bedrock.'],
])('where the credential %s, nothing is sent, and the agent is told what to do', async (_, key, message) => {
  const { bedrock, gateway } = await start(scriptedTurns([], 'Hello.'), { key })
  const answer = await ask(gateway.baseUrl)
  const text = await answer.text()
  expect(answer.status).toBe(503)
  expect(text).toContain(message)
  expect(text).not.toContain('canary')
  expect(bedrock.requests).toEqual([])
})

test.each(['/model/meta.llama3-70b-instruct-v1:0/invoke', '/model/anthropic.claude-x%2F..%2Fy/invoke', '/inference-profiles?type=SYSTEM_DEFINED', '/v1/messages', `/model/${MODEL}/converse`, `/model/${MODEL}/invoke?x=1`])('%s is not passed on', async (path) => {
  const { bedrock, gateway } = await start(scriptedTurns([], 'Hello.'))
  expect((await ask(gateway.baseUrl, path)).status).toBe(404)
  expect(bedrock.requests).toEqual([])
})

const run = promisify(execFile)
const runClaude = async (baseUrl: string, place: ReturnType<typeof createPlace>, args: readonly string[]) => {
  const { ANTHROPIC_AUTH_TOKEN: _, ...env } = claudeEnv(baseUrl, place)
  const running = run(CLAUDE, ['-p', ...args, '--model', MODEL, '--output-format', 'json'], { cwd: place.cwd, env: { ...env, ...bedrockEnvironment(baseUrl, REGION) } })
  running.child.stdin?.end()
  const { stdout } = await running.catch((error: unknown) => error as { stdout: string })
  return JSON.parse(stdout) as { result: string; is_error: boolean }
}

describe.skipIf(!hasClaude)(`the real Claude Code over Bedrock${hasClaude ? '' : ' (missing: the real Claude Code)'}`, () => {
  test('works through the gateway; a denied call never runs, without any hook, and the model is shown what happened', async () => {
    const place = closing(createPlace())
    const isDenied = (input: unknown): boolean => JSON.stringify(input).includes('canary')
    const guard = { ...trustingGuard, judge: ({ input }: { input: unknown }) => (isDenied(input) ? ({ released: false, reason: 'Denied by the test.' } as const) : ({ released: true } as const)) }
    const { bedrock, gateway } = await start(scriptedTurns([bash('touch canary.txt'), { content: [...bash('touch ok.txt').content, ...bash('touch canary-2.txt').content] }, { content: [{ type: 'text', text: 'All done ✓' }] }]), { guard })
    expect(await runClaude(gateway.baseUrl, place, ['Do it.', '--allowedTools', 'Bash'])).toMatchObject({ result: 'All done ✓', is_error: false })
    expect(['ok', 'canary', 'canary-2'].filter((name) => existsSync(join(place.cwd, `${name}.txt`)))).toEqual(['ok'])
    const last = JSON.parse(bedrock.requests.at(-1)?.body.toString() ?? '') as { messages: unknown }
    expect(JSON.stringify(last.messages)).toContain('touch canary.txt')
    expect(JSON.stringify(last.messages)).toContain('Denied by the test.')
    expect(new Set(bedrock.requests.map(({ path }) => path))).toEqual(new Set([`/model/${MODEL}/invoke-with-response-stream`]))
  })

  test('stops at a cap with the sentence that says why, and nothing is sent', async () => {
    const place = closing(createPlace())
    const priceTable = withOwnPrices(PRICE_TABLE, { [MODEL]: { input: 4.4, output: 22 } })
    const { bedrock, gateway } = await start(scriptedTurns([], 'Hello.'), { priceTable, caps: { microUsd: 10_000, tokens: null } })
    const { result, is_error: isError } = await runClaude(gateway.baseUrl, place, ['hi'])
    expect(isError).toBe(true)
    expect(result).toContain("$0.01 of this session's $0.01 spend cap is left. Raise the cap to go on.")
    expect(bedrock.requests).toEqual([])
  })
})
