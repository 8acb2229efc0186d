import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { HoldfastError } from '../../shared/contract/errors.ts'
import { recordedProfile } from '../../shared/core/policy/agent-profile.ts'
import { loadProfile } from '../../shared/core/policy/load-profile.ts'
import { BUILT_IN_LAYER } from '../../shared/domain/policy-evaluate.ts'

let scratch = ''
let cwd = ''
let configFolder = ''

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'holdfast-profile-'))
  cwd = join(scratch, 'My Project')
  configFolder = join(scratch, 'config')
  mkdirSync(cwd)
})
afterEach(() => rmSync(scratch, { recursive: true, force: true }))

const organisationFile = () => join(configFolder, 'organisation.yaml')
const projectFile = () => join(cwd, 'holdfast.yaml')
const userFile = (name = 'default') => join(configFolder, 'profiles', `${name}.yaml`)
const put = (path: string, text: string | Uint8Array): void => {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}
const load = (name?: string, command: readonly string[] = []) => loadProfile({ cwd, configFolder, name, command, organisationFile: organisationFile() })
const refusal = async (name?: string): Promise<HoldfastError> => {
  const error: unknown = await load(name).catch((reason: unknown) => reason)
  if (!(error instanceof HoldfastError)) throw new Error('was not refused')
  expect(error.code).toBe('profile-invalid')
  return error
}

describe('without a file', () => {
  test('there is a default profile', async () => {
    const profile = await load()
    expect(profile).toMatchObject({
      agent: 'claude-my-project',
      agentOrigin: 'project',
      command: ['claude'],
      identity: null,
      modelKey: 'agent/anthropic',
      modelBaseUrl: null,
      prices: {},
      namesAgent: false,
      servers: null,
      limits: { spendUsd: null, tokens: null, modelRequests: null, modelMinutes: null, shared: [], warnAt: 0.8, atCap: 'refuse', tokensPerMinute: null, toolCallsPerMinute: null, modelRequestsPerMinute: null, approvalTimeoutMs: 600_000, reviewEvery: null },
      sandbox: 'auto',
      notices: [],
    })
    expect(profile.policy.layers).toEqual([BUILT_IN_LAYER])
    expect(profile.envPass).toContain('PATH')
    expect(profile.envPass).toContain('LC_ALL')
    expect(profile.envPass).not.toContain('ANTHROPIC_API_KEY')
  })

  test('checkpoints are kept for 30 days and 5 GiB a folder, or as the user says, whatever the project says', async () => {
    expect((await load()).checkpoints).toEqual({ maxAgeMs: 2_592_000_000, maxBytes: 5_368_709_120 })
    put(userFile(), 'checkpoints: { keepDays: 2 }\n')
    put(projectFile(), 'checkpoints: { keepDays: 0.001, maxMiB: 1 }\n')
    const profile = await load()
    expect(profile.checkpoints).toEqual({ maxAgeMs: 172_800_000, maxBytes: 5_368_709_120 })
    expect(profile.notices.some((notice) => notice.includes(': checkpoints does not count'))).toBe(true)
  })

  test('the audit log keeps inputs whole and results by hash, and no alarm pauses; a project may add pauses, and hides nothing', async () => {
    expect(await load()).toMatchObject({ record: { inputs: 'full', results: 'hashed' }, pauseOn: [] })
    put(userFile(), 'record: { results: off }\nalarms: { pause: [burst] }\n')
    put(projectFile(), 'record: { inputs: off }\nalarms: { pause: [first-host, burst] }\n')
    const profile = await load()
    expect(profile).toMatchObject({ record: { inputs: 'full', results: 'off' }, pauseOn: ['burst', 'first-host'] })
    expect(profile.notices.some((notice) => notice.includes(': record does not count'))).toBe(true)
  })

  test('an empty file says nothing', async () => {
    put(projectFile(), '')
    put(userFile(), '# nothing yet\n')
    expect((await load()).command).toEqual(['claude'])
  })

  test('the command given wins, and names the agent', async () => {
    put(userFile(), 'command: [claude, --model, opus]\n')
    expect(await load(undefined, ['/usr/bin/Codex CLI', 'x'])).toMatchObject({ agent: 'codex-cli-my-project', command: ['/usr/bin/Codex CLI', 'x'] })
  })
})

describe("the user's and the project's file together", () => {
  test('the lower limit counts, whosever it is', async () => {
    put(userFile(), 'limits: { spendUsd: 5, tokens: 1000, modelMinutes: 5, atCap: wait, shared: [{ of: agent, per: day, spendUsd: 9 }], approvalTimeoutMs: 1000, reviewEvery: { minutes: 10, calls: 5 }, overLimit: ask, rates: [{ class: destructive, perHour: 3 }] }\n')
    put(projectFile(), 'limits: { spendUsd: 50, tokens: 10, modelRequests: 7, warnAt: 0.5, shared: [{ of: project, per: month, tokens: 8 }], toolCallsPerMinute: 3, approvalTimeoutMs: 9000, reviewEvery: { minutes: 1 }, overLimit: wait, rates: [{ tool: Bash, perMinute: 2 }], sameCallPerHour: 4 }\n')
    expect((await load()).limits).toEqual({
      spendUsd: 5,
      tokens: 10,
      modelRequests: 7,
      modelMinutes: 5,
      shared: [{ of: 'agent', per: 'day', spendUsd: 9 }, { of: 'project', per: 'month', tokens: 8 }],
      warnAt: 0.5,
      atCap: 'wait',
      tokensPerMinute: null,
      toolCallsPerMinute: 3,
      toolCallsPerHour: null,
      modelRequestsPerMinute: null,
      modelRequestsPerHour: null,
      sameCallPerHour: 4,
      rates: [{ class: 'destructive', perHour: 3 }, { tool: 'Bash', perMinute: 2 }],
      overLimit: 'ask',
      approvalTimeoutMs: 1000,
      reviewEvery: { minutes: 1, calls: 5, usd: undefined },
    })
  })

  test('an organisation tightens what the user and the project say, in a layer of its own, and allows nothing', async () => {
    put(userFile(), 'limits: { spendUsd: 5 }\nnetwork: open\npolicy: { allow: [Bash(rm -rf build)], recoverable: allow }\n')
    put(projectFile(), 'limits: { spendUsd: 4, reviewEvery: { calls: 9 } }\n')
    put(organisationFile(), 'limits: { spendUsd: 3, overLimit: pause }\nnetwork: gateway\npolicy: { deny: [Bash(curl:*)], allow: [WebFetch], recoverable: ask }\nalarms: { pause: [cost] }\n')
    const profile = await load()
    expect(profile).toMatchObject({ limits: { spendUsd: 3, reviewEvery: { calls: 9 }, overLimit: 'pause' }, network: 'gateway', recoverable: 'ask', pauseOn: ['cost'] })
    expect(profile.policy.layers.map(({ origin }) => origin)).toEqual(['built-in', 'organisation', 'user', 'project'])
    put(organisationFile(), 'policy: { dney: [Bash] }\n')
    expect((await refusal()).message).toMatch(/organisation\.yaml:1:11: policy\.dney: is not a known key/)
  })

  test('a project takes no question about recoverable calls away, and may bring it back', async () => {
    expect((await load()).recoverable).toBe('ask')
    put(projectFile(), 'policy: { recoverable: allow }\n')
    expect(await load()).toMatchObject({ recoverable: 'ask', notices: [expect.stringContaining('policy.recoverable: allow does not count')] })
    put(userFile(), 'policy: { recoverable: allow }\n')
    expect((await load()).recoverable).toBe('allow')
    put(projectFile(), 'policy: { recoverable: ask }\n')
    expect((await load()).recoverable).toBe('ask')
  })

  test('a project can not wait longer for an answer than the default', async () => {
    put(projectFile(), 'limits: { approvalTimeoutMs: 86400000 }\n')
    expect((await load()).limits.approvalTimeoutMs).toBe(600_000)
  })

  test('rules stay in layers, each with its file and line', async () => {
    put(userFile(), 'policy:\n  allow:\n    - Bash(ls)\n')
    put(projectFile(), 'policy:\n  deny:\n    - Bash(git push:*)\n  ask: [WebFetch]\n')
    const [, user, project] = (await load()).policy.layers
    expect(user).toMatchObject({ origin: 'user', rules: [{ effect: 'allow', source: `${userFile()}:3` }] })
    expect(project).toMatchObject({
      origin: 'project',
      rules: [{ effect: 'deny', source: `${projectFile()}:3` }, { effect: 'ask', source: `${projectFile()}:4` }],
    })
  })

  test('a project may take variables away, not add any', async () => {
    put(userFile(), 'env: { pass: [PATH, TERM, MY_TOKEN] }\n')
    put(projectFile(), 'env: { pass: [PATH, AWS_SECRET_ACCESS_KEY] }\n')
    const { envPass, notices } = await load()
    expect(envPass).toEqual(['PATH'])
    expect(notices).toEqual([expect.stringMatching(/holdfast\.yaml: env\.pass \(AWS_SECRET_ACCESS_KEY\) does not count/)])
  })

  test("a named profile is taken instead of the user's default", async () => {
    put(userFile(), 'agent: first\n')
    put(userFile('review'), 'agent: second\n')
    expect(await load('review')).toMatchObject({ agent: 'second', agentOrigin: 'user' })
  })

  test("a project's name for the agent is marked as its own", async () => {
    put(projectFile(), 'agent: theirs\n')
    expect(await load()).toMatchObject({ agent: 'theirs', agentOrigin: 'project' })
    put(userFile(), 'agent: mine\n')
    expect(await load()).toMatchObject({ agent: 'mine', agentOrigin: 'user' })
  })
})

describe('what a project asks for and does not get', () => {
  test.each([
    ['model: { key: prod/key }', 'model.key', { modelKey: 'agent/anthropic' }],
    ['model: { baseUrl: "https://evil.example" }', 'model.baseUrl', { modelBaseUrl: null }],
    ['model: { prices: { claude-opus-5-5: { input: 0, output: 0 } } }', 'model.prices', { prices: {} }],
    ['model: { nameAgent: true }', 'model.nameAgent', { namesAgent: false }],
    ['model: { provider: bedrock, region: eu-west-1 }', 'model.provider', { cloud: null, modelKey: 'agent/anthropic' }],
    ['sandbox: off', 'sandbox: off', { sandbox: 'auto' }],
    ['env: { pass: [AWS_SECRET_ACCESS_KEY] }', 'env.pass (AWS_SECRET_ACCESS_KEY)', { envPass: [] }],
    ['policy: { allow: [Bash] }', 'policy.allow', {}],
    ['identity: { git: { name: Linus, email: l@example.org } }', 'identity.git', { identity: null }],
    ['servers: { evil: { command: ./evil } }', 'servers are not used', { servers: { origin: 'project' } }],
    ['servers: .mcp.json', 'servers are not used', { servers: { origin: 'project' } }],
  ])('%s gives one notice, which names the file and the field', async (text, field, kept) => {
    put(projectFile(), `${text}\n`)
    const profile = await load()
    expect(profile.notices).toHaveLength(1)
    expect(profile.notices[0]).toContain(`${projectFile()}: ${field}`)
    expect(profile).toMatchObject(kept)
  })

  test("the user's own word gives none, and holds against the project's", async () => {
    put(userFile(), [
      'identity: { git: { name: Agent, email: agent@example.org } }',
      'model: { key: mine/key, baseUrl: "http://127.0.0.1:1", prices: { local-model: { input: 0.5, output: 2 } } }',
      'servers: mine.json',
      'sandbox: off',
    ].join('\n'))
    const alone = await load()
    expect(alone.notices).toEqual([])
    expect(alone).toMatchObject({
      identity: { git: { name: 'Agent', email: 'agent@example.org' } },
      modelKey: 'mine/key',
      modelBaseUrl: 'http://127.0.0.1:1',
      prices: { 'local-model': { input: 0.5, output: 2 } },
      servers: { value: 'mine.json', origin: 'user', folder: join(configFolder, 'profiles') },
      sandbox: 'off',
    })
    put(projectFile(), 'identity: { git: { name: Linus, email: l@example.org } }\nmodel: { key: theirs }\nservers: theirs.json\n')
    const both = await load()
    expect({ ...both, notices: [], policy: null }).toEqual({ ...alone, notices: [], policy: null })
    expect(both.notices).toHaveLength(3)
  })
})

describe('a broken file says where and what would be valid', () => {
  test.each([
    ['broken YAML', 'agent: a\npolicy: [\n', /:\d+:\d+: /, { line: 3 }],
    ['an unknown key', 'agent: a\npolicey:\n  deny: []\n', /:2:1: policey: is not a known key; did you mean policy\?/, { line: 2, column: 1, field: 'policey' }],
    ['an unknown key inside', 'limits:\n  spendUSD: 5\n', /:2:3: limits\.spendUSD: .*did you mean spendUsd\?/, { line: 2, column: 3, field: 'limits.spendUSD' }],
    ['a key like no other', 'zzzzzzzzz: 1\n', /valid here: agent, command, identity/, { line: 1, column: 1 }],
    ['a wrong type', 'limits:\n  tokens: many\n', /:2:11: limits\.tokens: .*number/, { line: 2, column: 11, field: 'limits.tokens' }],
    ['a negative limit', 'limits:\n  spendUsd: -1\n', /:2:13: limits\.spendUsd: /, { line: 2, column: 13 }],
    ['a rule that is none', 'policy:\n  deny:\n    - Bash(ls)\n    - bash(rm)\n', /:4:7: policy\.deny\[1\]: "bash\(rm\)" .*did you mean Bash/, { line: 4, column: 7, field: 'policy.deny[1]' }],
    ['an allow for destructive calls in another place', 'policy:\n  ask: [mcp__a__b(destructive)]\n', /:2:9: policy\.ask\[0\]: .*under allow; here write mcp__a__b/, { line: 2, column: 9 }],
    ['a key given twice', 'agent: a\nagent: b\n', /:2:1: /, { line: 2 }],
    ['a list', '- a\n', /:1:1: /, { line: 1 }],
    ['an alias', 'agent: &a x\ncommand: [*a]\n', /:2:11: uses an alias/, { line: 2, column: 11 }],
    ['a merge of another map', 'a: &a { x: 1 }\nlimits:\n  <<: *a\n', /uses an alias/, { line: 3 }],
    ['too deep a nest', `servers: ${'['.repeat(200)}${']'.repeat(200)}\n`, /nested too deep/, { line: 1 }],
    ['an agent name with a slash', 'agent: ../../x\n', /:1:8: agent: small letters/, { line: 1, column: 8, field: 'agent' }],
    ['a line break in a name', 'identity:\n  git: { name: "a\\nb", email: a@b }\n', /:2:16: identity\.git\.name: one line/, { line: 2, column: 16 }],
    ['a web address of another kind', 'model:\n  baseUrl: file:///etc/passwd\n', /:2:12: model\.baseUrl: /, { line: 2, column: 12 }],
  ])('%s', async (_, text, message, at) => {
    for (const path of [projectFile(), userFile()]) {
      put(path, text)
      const error = await refusal()
      expect(error.message.startsWith(`${path}:`)).toBe(true)
      expect(error.message).toMatch(message)
      expect(error.at).toMatchObject({ file: path, ...at })
      rmSync(path)
    }
  })

  test('one that is too large, or is not text', async () => {
    put(projectFile(), `# ${'x'.repeat(256 * 1024)}\n`)
    expect((await refusal()).message).toMatch(/holdfast\.yaml: is larger than 262144 bytes/)
    put(projectFile(), new Uint8Array([0x61, 0xff, 0xfe]))
    expect((await refusal()).message).toMatch(/holdfast\.yaml: is not UTF-8 text/)
  })

  test('a folder or a pipe in its place, without waiting for a writer', async () => {
    mkdirSync(projectFile())
    expect((await refusal()).message).toMatch(/holdfast\.yaml: is not a file/)
    rmSync(projectFile(), { recursive: true })
    execFileSync('mkfifo', [projectFile()])
    expect((await refusal()).message).toMatch(/holdfast\.yaml: is not a file/)
  })

  test("a symbolic link in the project; the user's own may be one", async () => {
    put(join(scratch, 'elsewhere.yaml'), 'agent: linked\n')
    symlinkSync(join(scratch, 'elsewhere.yaml'), projectFile())
    expect((await refusal()).message).toMatch(/holdfast\.yaml: is a symbolic link/)
    rmSync(projectFile())
    mkdirSync(dirname(userFile()), { recursive: true })
    symlinkSync(join(scratch, 'elsewhere.yaml'), userFile())
    expect((await load()).agent).toBe('linked')
  })
})

describe('a profile by name', () => {
  test('one that is not there says which are', async () => {
    put(userFile('review'), '')
    put(userFile('night'), '')
    expect((await refusal('reviw')).message).toBe('There is no profile "reviw"; there are: night, review.')
  })

  test('with no folder of profiles at all', async () => {
    expect((await refusal('x')).message).toBe(`There is no profile "x"; ${join(configFolder, 'profiles')} holds none.`)
  })

  test.each(['../secret', 'a/b', '', '.hidden', 'x'.repeat(101)])('"%s" is no name', async (name) => {
    put(join(configFolder, 'secret.yaml'), 'agent: secret\n')
    expect((await refusal(name)).message).toMatch(/is not a profile's name/)
  })
})

test('the audit log gets the names of a server\'s variables and headers, and none of their values', async () => {
  put(userFile(), 'servers:\n  github:\n    command: npx\n    env: { GITHUB_TOKEN: ghp_canary, PG_SECRET: agent/pg, ALLOWED_REPOS: a/b }\n    headers: { Authorization: Bearer canary }\n')
  const profile = await load()
  const kept = JSON.stringify(recordedProfile(profile))
  expect(kept).not.toContain('canary')
  expect(kept).toContain('"env":{"GITHUB_TOKEN":"[value not kept]","PG_SECRET":"agent/pg","ALLOWED_REPOS":"a/b"}')
  expect(kept).toContain('"headers":{"Authorization":"[value not kept]"}')
})
