import { readFileSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasPostgres, startPostgres, type Postgres } from '../fixtures/postgres/start.ts'
import { createScriptedWorld } from '../support/script.ts'
import { startInTerminal, type TerminalProgram } from '../support/terminal.ts'
import { CLI_FILE, missingForEndToEnd, type World } from '../support/world.ts'

const missing = missingForEndToEnd()
const TOKEN = `github_pat_${'a1B2'.repeat(10)}`
const CLASSIC = `ghp_${'c3D4'.repeat(9)}`

describe.skipIf(missing !== null)(`an account for an agent at a provider${missing === null ? '' : ` (missing: ${missing})`}`, () => {
  let world: World
  let server: Server
  const asked: { url: string; headers: IncomingHttpHeaders }[] = []
  const api = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  beforeAll(async () => {
    world = await createScriptedWorld(() => [])
    server = createServer((request, response) => {
      asked.push({ url: request.url ?? '', headers: request.headers })
      const { authorization } = request.headers
      if (authorization === `Bearer ${TOKEN}`) response.setHeader('github-authentication-token-expiration', '2037-02-21 10:00:00 UTC')
      else if (authorization === `Bearer ${CLASSIC}`) response.setHeader('x-oauth-scopes', 'repo, workflow')
      else response.statusCode = 401
      response.end(JSON.stringify(response.statusCode === 401 ? { message: 'Bad credentials' } : { login: 'acme-bot', type: 'User' }))
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  afterAll(async () => {
    server.close()
    await world.end()
  })

  const add = (input: string, ...args: string[]) => world.holdfast(['secret', 'add', ...args, '--json'], { input })
  const kept = async (name: string): Promise<unknown> => {
    const { secrets } = JSON.parse((await world.holdfast(['secret', 'list', '--json'])).stdout) as { secrets: { name: string }[] }
    return secrets.find((secret) => secret.name === name)
  }

  it('at GitHub: one read call says whose the token is, how far it goes and when it ends, and that is kept with it', async () => {
    const { code, stdout } = await add(`${TOKEN}\n`, 'github', '--api', api(), '--try')
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ name: 'agent/github-pat', tried: true, warnings: ['It acts as acme-bot: if that is you, the record cannot tell you from the agent.'] })
    expect(asked.map(({ url }) => url)).toEqual(['/user'])
    expect(await kept('agent/github-pat')).toMatchObject({ owner: 'acme-bot', scope: 'fine-grained', expiresAt: Date.UTC(2037, 1, 21, 10), state: 'ok' })
    expect(stdout).not.toContain(TOKEN)
  })

  it('at GitHub: says what is wrong with a token that reaches everything', async () => {
    const { stdout } = await add(CLASSIC, 'github', '--api', api(), '--try', '--name', 'agent/classic')
    expect(JSON.parse(stdout)).toMatchObject({ details: { scope: 'repo, workflow' }, warnings: ['It is a classic token: it reaches every repository acme-bot can, with repo, workflow.', 'It never expires.', expect.any(String)] })
  })

  it('tries nothing unless asked to, and keeps nothing that is refused; the value is in no message', async () => {
    const before = asked.length
    expect(JSON.parse((await add(TOKEN, 'github', '--api', api(), '--repo', 'acme/web', '--name', 'agent/untried')).stdout)).toMatchObject({ tried: false, details: { scope: 'acme/web' } })
    expect(asked.length).toBe(before)
    const refused = await add('github_pat_wrong-canary', 'github', '--api', api(), '--try', '--name', 'agent/wrong')
    expect(refused.code).not.toBe(0)
    expect(refused.stdout).toContain('does not know this token (401). Nothing was kept.')
    expect(refused.stderr + refused.stdout).not.toContain('wrong-canary')
    expect(await kept('agent/wrong')).toBeUndefined()
    expect((await add(TOKEN, 'github', '--api', 'http://github.example', '--try')).stdout).toContain('is not an https address.')
  })

  it('at AWS: a credential is issued as servers get it, one read call says whose it is, and no credential is kept', async () => {
    const [bin, policy] = [join(world.folder, 'bin'), join(world.folder, 'policy.json')]
    const issued = { Credentials: { AccessKeyId: 'ASIA-canary', SecretAccessKey: 'secret-canary', SessionToken: 'token-canary', Expiration: '2037-01-01T00:00:00Z' } }
    writeFileSync(join(bin, 'aws'), `#!/bin/sh
printf '%s\\n' "$2 $AWS_ACCESS_KEY_ID $AWS_SHARED_CREDENTIALS_FILE $*" >> ${bin}/aws.log
case "$2" in
  assume-role) echo '${JSON.stringify(issued)}' ;;
  get-caller-identity) echo '{"UserId":"AROA:holdfast","Account":"123456789012","Arn":"arn:aws:sts::123456789012:assumed-role/agent/holdfast"}' ;;
esac
`, { mode: 0o700 })
    writeFileSync(policy, '{"Statement":[{"Effect":"Allow","Action":"logs:Get*","Resource":"*"}]}')
    const role = ['aws', '--role', 'arn:aws:iam::123456789012:role/agent', '--region', 'eu-central-1', '--policy', policy]
    const { code, stdout } = await add('', ...role, '--try')
    expect([code, JSON.parse(stdout)]).toMatchObject([0, {
      name: 'agent/aws', tried: true, warnings: [],
      details: { owner: 'arn:aws:sts::123456789012:assumed-role/agent/holdfast', scope: 'eu-central-1: logs:Get*', expiresAt: expect.any(Number) },
      env: { AWS_REGION: 'eu-central-1', AWS_SESSION_TOKEN_SECRET: expect.stringMatching(/^exec\[Credentials\.SessionToken\]: aws sts assume-role /) },
    }])
    expect(stdout).not.toContain('canary')
    expect(await kept('agent/aws')).toMatchObject({ scope: 'eu-central-1: logs:Get*', state: 'ok' })
    const calls = readFileSync(join(bin, 'aws.log'), 'utf8').trimEnd().split('\n')
    expect(calls.map((call) => call.split(' ').slice(0, 3).join(' '))).toEqual(['assume-role  ', 'get-caller-identity ASIA-canary /dev/null'])

    const other = await add('', ...role.with(2, 'arn:aws:iam::123456789012:role/admin'), '--name', 'agent/other', '--try')
    expect([other.code === 0, other.stdout.includes('and not arn:aws:iam::123456789012:role/admin'), await kept('agent/other')]).toEqual([false, true, undefined])
  })

  it('at AWS, at a terminal: asks for role, region and policy, shows how to make the role, tries it at the word, and warns before it keeps', async () => {
    const issued = { Credentials: { AccessKeyId: 'ASIA-canary', SecretAccessKey: 'secret-canary', SessionToken: 'token-canary', Expiration: '2037-01-01T00:00:00Z' } }
    const calls: string[] = []
    const sts = createServer((request, response) => {
      calls.push(`${request.url ?? ''} as ${request.headers['x-key'] || 'me'}`)
      response.end(JSON.stringify(request.url === '/assume-role' ? issued : { Account: '123456789012', Arn: 'arn:aws:sts::123456789012:assumed-role/agent/holdfast' }))
    }).listen(0, '127.0.0.1')
    await once(sts, 'listening')
    const [narrow, wide] = [join(world.folder, 'narrow.json'), join(world.folder, 'wide.json')]
    // What the command line of AWS does, as far as the recipe sees: it asks the STS, here one on loopback, with the credential of its environment.
    writeFileSync(join(world.folder, 'bin', 'aws'), `#!/bin/sh\nexec ${process.execPath} -e 'fetch("http://127.0.0.1:${(sts.address() as AddressInfo).port}/" + process.argv[2], { headers: { "x-key": process.env.AWS_ACCESS_KEY_ID ?? "" } }).then((answer) => answer.text()).then(console.log)' -- "$@"\n`, { mode: 0o700 })
    writeFileSync(narrow, '{"Statement":[{"Effect":"Allow","Action":"logs:Get*","Resource":"*"}]}')
    writeFileSync(wide, '{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}')
    const answer = async (policy: string, tries: string, name: string): Promise<TerminalProgram> => {
      const terminal = startInTerminal(`hf-aws-${process.pid}`, [process.execPath, CLI_FILE, 'secret', 'add', 'aws', '--name', name], { env: world.environment, cwd: world.project })
      for (const [question, said] of [['The role (arn:', 'arn:aws:iam::123456789012:role/agent'], ['The region (such as eu-central-1): ', 'eu-central-1'], ['The file of its session policy: ', policy], ['Try it now, with one read call to AWS STS? [y/N] ', tries]] as const) {
        await terminal.shows(question.trimEnd())
        terminal.type(said)
        terminal.press('Enter')
      }
      return terminal
    }
    let terminal: TerminalProgram | null = null
    try {
      terminal = await answer(narrow, 'y', 'agent/asked')
      const screen = await terminal.shows('ended with 0')
      expect(screen).toContain('agent/asked is kept in the keychain: of arn:aws:sts::123456789012:assumed-role/agent/holdfast, eu-central-1: logs:Get*')
      expect(screen).not.toContain('canary')
      expect(calls).toEqual(['/assume-role as me', '/get-caller-identity as ASIA-canary'])
      terminal.end()

      terminal = await answer(narrow, 'n', 'agent/untold')
      expect(await terminal.shows('ended with 0')).toContain('It was not tried.')
      expect(calls).toHaveLength(2)
      terminal.end()

      terminal = await answer(wide, 'y', 'agent/wide-role')
      expect(await terminal.shows('Keep it all the same? [y/N]')).toContain('! Its session policy allows whatever the role may')
      terminal.type('n')
      terminal.press('Enter')
      expect(await terminal.shows('ended with 2')).toContain('Nothing was kept.')
      expect([await kept('agent/asked'), await kept('agent/wide-role')]).toMatchObject([{ scope: 'eu-central-1: logs:Get*', state: 'ok' }, undefined])
    } finally {
      terminal?.end()
      sts.close()
      sts.closeAllConnections()
    }
  })

  describe.skipIf(!hasPostgres)(`at a real PostgreSQL${hasPostgres ? '' : ' (missing: postgresql)'}`, () => {
    let postgres: Postgres
    beforeAll(async () => {
      postgres = await startPostgres()
      await postgres.run('CREATE TABLE products (id int)')
    })
    afterAll(() => postgres.stop())
    const at = () => ['--database', 'postgres', '--port', String(postgres.port)]

    it('the SQL that is printed makes a role that only reads, and one call proves it', async () => {
      const { readOnlyRoleSql } = await import('../../shared/core/secrets/recipes/postgres.ts')
      const role = { host: '127.0.0.1', port: postgres.port, database: 'postgres', role: 'agent"ro', schema: 'public' }
      await postgres.run([...readOnlyRoleSql(role, Date.now()).slice(0, -1), `ALTER ROLE "agent""ro" PASSWORD 'pass-canary';`].join('\n'))
      const { code, stdout } = await add('pass-canary', 'postgres', ...at(), '--role', 'agent"ro', '--try')
      expect(code).toBe(0)
      expect(JSON.parse(stdout)).toMatchObject({ name: 'agent/db-readonly', tried: true, details: { owner: 'agent"ro', scope: 'postgres: reads 1 table', expiresAt: expect.any(Number) }, warnings: [] })
      expect(await kept('agent/db-readonly')).toMatchObject({ owner: 'agent"ro', state: 'ok' })
    })

    it('a role that can do more is told of, and a wrong password is not kept', async () => {
      await postgres.run(`CREATE ROLE wide LOGIN CREATEROLE PASSWORD 'pass-canary'; GRANT ALL ON products TO wide`)
      expect(JSON.parse((await add('pass-canary', 'postgres', ...at(), '--role', 'wide', '--name', 'agent/wide', '--try')).stdout)).toMatchObject({
        details: { scope: 'postgres: reads 1 table, writes 1' },
        warnings: ['This role is more than a reader: makes roles.', 'This role can write 1 table.', 'Its password never ends: ALTER ROLE … VALID UNTIL.'],
      })
      const refused = await add('no-such-canary', 'postgres', ...at(), '--role', 'wide', '--name', 'agent/no', '--try')
      expect([refused.code, await kept('agent/no')]).toEqual([3, undefined])
      expect(refused.stdout).toContain('The database refuses wide: ')
      expect(refused.stderr + refused.stdout).not.toContain('no-such-canary')
    })
  })
})
