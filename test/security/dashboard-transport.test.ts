import { spawn } from 'node:child_process'
import { createHash, createHmac } from 'node:crypto'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request as httpRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { createClient } from '../../shared/contract/client.ts'
import type { HoldfastError } from '../../shared/contract/errors.ts'
import type { CommandName } from '../../shared/contract/protocol.ts'
import { createDispatcher, type Handlers } from '../../shared/core/api/dispatcher.ts'
import { createEventHub } from '../../shared/core/api/event-hub.ts'
import { authoriseRole, type Role } from '../../shared/core/api/roles.ts'
import { createToken } from '../../shared/core/supervisor/session-folder.ts'
import { findTcpEntry } from '../../shared/core/transports/tcp-peer.ts'
import { createLoginKeeper, type LoginKeeper } from '../../shared/core/transports/kept-logins.ts'
import { LINK_LIFETIME_MS, LOGIN_LIFETIME_MS } from '../../shared/core/transports/web-logins.ts'
import { listenWeb, type WebServer } from '../../shared/core/transports/web-server.ts'
import { HOST_INFO, logIn, openWeb } from '../contract/transports.ts'

let now = 1_000
let forbidden: readonly number[] = []
let folder = ''
const servers: WebServer[] = []

const handlers = new Proxy({} as Handlers, { get: () => () => HOST_INFO })
const dispatch = createDispatcher(handlers, { authorise: ({ role }, command) => authoriseRole(role, command), logFault: () => undefined })

const listen = async (role: Role = 'dashboard', keeper?: LoginKeeper): Promise<WebServer> => {
  const server = await listenWeb({
    folder,
    role,
    clock: { now: () => now },
    newSecret: createToken,
    isForbiddenPeer: (pid) => forbidden.includes(pid),
    dispatch,
    hub: createEventHub(),
    keeper,
  })
  servers.push(server)
  return server
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hf-'))
  await writeFile(join(folder, 'index.html'), '<!doctype html><title>x</title>')
})
afterEach(async () => {
  forbidden = []
  await Promise.all(servers.splice(0).map((server) => server.close()))
  await rm(folder, { recursive: true })
})

const loginStatus = async (server: WebServer, link: string, origin = server.origin): Promise<number> =>
  (await fetch(`${server.origin}/login`, { method: 'POST', headers: { Origin: origin }, body: JSON.stringify({ link }) })).status

/** A request with any Host, which fetch does not let one set. */
const statusWithHost = (server: WebServer, host: string): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    const { port } = new URL(server.origin)
    httpRequest({ host: '127.0.0.1', port, path: '/', headers: { Host: host } }, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
      .once('error', reject)
      .end()
  })

/** The status with which a connection is refused. */
const refusal = (server: WebServer, headers: Record<string, string>, path = '/contract'): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    const socket = new WebSocket(`${server.origin.replace('http', 'ws')}${path}`, { headers })
    socket.once('open', () => reject(new Error('it was let in')))
    socket.once('unexpected-response', (_request, response) => resolve(response.statusCode))
    socket.once('error', () => undefined)
  })

describe('the login link', () => {
  it('opens one session, and never a second', async () => {
    const server = await listen()
    const link = server.createLink()
    expect(await loginStatus(server, link)).toBe(200)
    expect(await loginStatus(server, link)).toBe(401)
  })

  it('is worth nothing after a minute', async () => {
    const server = await listen()
    const link = server.createLink()
    now += LINK_LIFETIME_MS
    expect(await loginStatus(server, link)).toBe(401)
  })

  it.each(['', 'guessed', 'x'.repeat(300)])('%j, which never was one, opens nothing', async (link) => {
    expect(await loginStatus(await listen(), link)).toBe(401)
  })

  it('of the dashboard opens no session on the approvals page', async () => {
    const [dashboard, approvals] = [await listen('dashboard'), await listen('approver')]
    expect(await loginStatus(approvals, dashboard.createLink())).toBe(401)
  })

  it('used by a page of another origin opens nothing, and stays good', async () => {
    const server = await listen()
    const link = server.createLink()
    expect(await loginStatus(server, link, 'http://127.0.0.1:3000')).toBe(403)
    expect(await loginStatus(server, link)).toBe(200)
  })

  it.skipIf(process.platform !== 'linux')('used by a process of a session opens nothing', async () => {
    const server = await listen()
    forbidden = [process.pid]
    expect(await loginStatus(server, server.createLink())).toBe(403)
  })

  it('sets a cookie that no script reads and no other site sends', async () => {
    const server = await listen()
    const answer = await fetch(`${server.origin}/login`, { method: 'POST', headers: { Origin: server.origin }, body: JSON.stringify({ link: server.createLink() }) })
    expect(answer.headers.get('set-cookie')).toMatch(/^holdfast_\d+=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/)
  })
})

describe('a name that was made to point to 127.0.0.1', () => {
  it.each(['evil.example', 'localhost', '127.0.0.1', '127.0.0.1.evil.example'])('%s gets no page', async (name) => {
    const server = await listen()
    const { port } = new URL(server.origin)
    expect(await statusWithHost(server, `${name}:${name === '127.0.0.1' ? '1' : port}`)).toBe(421)
    expect(await statusWithHost(server, `127.0.0.1:${port}`)).toBe(200)
  })

  it('gets no connection', async () => {
    const server = await listen()
    const { cookie } = await logIn(server.origin, server.createLink())
    expect(await refusal(server, { Origin: server.origin, Cookie: cookie, Host: 'evil.example' })).toBe(403)
  })
})

describe('the connection', () => {
  it('is refused to every origin but its own, with a good cookie too', async () => {
    const server = await listen()
    const other = await listen('approver')
    const { cookie } = await logIn(server.origin, server.createLink())
    for (const Origin of ['https://evil.example', 'null', other.origin, server.origin.replace('127.0.0.1', 'localhost')]) {
      expect(await refusal(server, { Origin, Cookie: cookie })).toBe(403)
    }
    expect(await refusal(server, { Cookie: cookie })).toBe(403)
  })

  it('is refused without a cookie, and with one that is not known', async () => {
    const server = await listen()
    const name = `holdfast_${new URL(server.origin).port}`
    expect(await refusal(server, { Origin: server.origin })).toBe(403)
    expect(await refusal(server, { Origin: server.origin, Cookie: `${name}=guessed` })).toBe(403)
  })

  it('is refused on any other path', async () => {
    const server = await listen()
    const { cookie } = await logIn(server.origin, server.createLink())
    expect(await refusal(server, { Origin: server.origin, Cookie: cookie }, '/other')).toBe(403)
  })

  it('needs the token that only the page holds: a cookie, which any port of 127.0.0.1 is sent, is not enough', async () => {
    const server = await listen()
    const { cookie, token } = await logIn(server.origin, server.createLink())
    const thief = createClient(await openWeb(server.origin, cookie), { token: 'not-the-token-0123456789', client: 'test' })
    await expect(thief.ready).rejects.toMatchObject({ code: 'unauthorised' })
    const page = createClient(await openWeb(server.origin, cookie), { token, client: 'test' })
    await page.ready
    page.close()
  })

  it.skipIf(process.platform !== 'linux')('is refused to a process of a session that holds cookie and token', async () => {
    const server = await listen()
    const { cookie } = await logIn(server.origin, server.createLink())
    const script = `
      const [url, Origin, Cookie] = process.argv.slice(1)
      process.stdin.once('data', () => {
        const socket = new WebSocket(url, { headers: { Origin, Cookie } })
        socket.onopen = () => { console.log('in'); process.exit() }
        socket.onerror = () => { console.log('refused'); process.exit() }
      })`
    const connectFrom = async (isOfSession: boolean): Promise<string> => {
      const args = ['-e', script, `${server.origin.replace('http', 'ws')}/contract`, server.origin, cookie]
      const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'], env: { PATH: process.env['PATH'] ?? '' } })
      forbidden = isOfSession && child.pid !== undefined ? [child.pid] : []
      child.stdin.write('go')
      const [said] = (await once(child.stdout, 'data')) as [Buffer]
      return said.toString().trim()
    }
    expect(await connectFrom(false)).toBe('in')
    expect(await connectFrom(true)).toBe('refused')
  })
})

describe('what a page may do', () => {
  const asRole = async (role: Role, command: CommandName): Promise<string> => {
    const server = await listen(role)
    const { cookie, token } = await logIn(server.origin, server.createLink())
    const client = createClient(await openWeb(server.origin, cookie), { token, client: 'test' })
    const answer = await client.call(command, paramsOf[command] as never).then(() => 'done', (error: unknown) => (error as HoldfastError).code)
    client.close()
    return answer
  }
  const paramsOf: Partial<Record<CommandName, unknown>> = {
    'host/info': {},
    'host/stop': {},
    'dashboard/open': {},
    'approval/decide': { approvalId: 'apr_bcdfghjkmnpq', bindingHash: 'x', answer: 'approve' },
    'session/start': { cwd: '/', command: ['x'], env: {}, terminal: null, sandbox: 'auto' },
    'secret/list': {},
    'proposal/decide': { proposalId: 'prp_bcdfghjkmnpq', hash: 'x', answer: 'apply' },
    'proposal/make': { change: { kind: 'profile', name: 'x', text: '', base: null } },
    'server/accept': { key: 'x', tools: [{ tool: 'x', hash: 'a'.repeat(64) }] },
    'policy/replay': {},
    'setup/propose': { cwd: '/' },
  }

  it.each([
    ['dashboard', 'approval/decide'],
    ['dashboard', 'proposal/decide'],
    ['dashboard', 'server/accept'],
    ['approver', 'proposal/make'],
    ['approver', 'policy/replay'],
    ['approver', 'setup/propose'],
    ['dashboard', 'host/stop'],
    ['dashboard', 'dashboard/open'],
    ['approver', 'session/start'],
    ['approver', 'secret/list'],
    ['approver', 'host/stop'],
    ['approver', 'dashboard/open'],
  ] as const)('the %s may not do %s', async (role, command) => {
    expect(await asRole(role, command)).toBe('unauthorised')
  })

  it('the approvals page may ask who the host is', async () => {
    expect(await asRole('approver', 'host/info')).toBe('done')
  })
})

describe('what is served', () => {
  it('forbids every script, style, frame and request that is not the page’s own', async () => {
    const server = await listen()
    const { headers } = await fetch(`${server.origin}/`)
    const policy = headers.get('content-security-policy') ?? ''
    expect(policy.split('; ')).toEqual([
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      "img-src 'self' data:",
      `connect-src 'self' ${server.origin.replace('http', 'ws')}`,
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
      "require-trusted-types-for 'script'",
    ])
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('cross-origin-resource-policy')).toBe('same-origin')
    expect(headers.get('access-control-allow-origin')).toBeNull()
  })

  it.each(['/../package.json', '/%2e%2e/package.json', '/index.html', '//etc/passwd', '/.bundled'])('%s is not', async (path) => {
    const server = await listen()
    const { port } = new URL(server.origin)
    const status = await new Promise((resolve) => {
      httpRequest({ host: '127.0.0.1', port, path }, (response) => {
        response.resume()
        resolve(response.statusCode)
      }).end()
    })
    expect(status).toBe(404)
  })
})

describe('who is at the other end of a connection', () => {
  const table = [
    '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
    '   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11 1 0 100 0 0 10 0',
    '   1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000  1000        0 22 1 0 20 4 30 10 -1',
    '   2: 0100007F:C350 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1001        0 33 1 0 20 4 30 10 -1',
    '   3: 0100007F:C351 0100007F:1F90 06 00000000:00000000 03:00000000 00000000     0        0 0 3 0',
  ].join('\n')

  it('is read from the entry whose own end is the peer’s', () => {
    expect(findTcpEntry(table, 50_000, 8_080)).toEqual({ uid: 1001, inode: '33' })
  })

  it('is unknown when the connection is over or not there', () => {
    expect(findTcpEntry(table, 50_001, 8_080)).toBeNull()
    expect(findTcpEntry(table, 50_002, 8_080)).toBeNull()
  })
})

describe('a login and the host’s restart', () => {
  const keeperOf = (): LoginKeeper => createLoginKeeper(join(folder, 'logins.json'))
  const restarted = async (server: WebServer, keeper = keeperOf()): Promise<WebServer> => {
    servers.splice(servers.indexOf(server), 1)
    await server.close()
    return await listen('dashboard', keeper)
  }
  const prove = async (server: WebServer, cookie: string, origin = server.origin, nonce = 'n'.repeat(64)) =>
    fetch(`${server.origin}/prove`, { method: 'POST', headers: { Origin: origin, Cookie: cookie }, body: JSON.stringify({ nonce }) })

  it('is good at the same address afterwards, where it is kept, and of its secrets only hashes are', async () => {
    const server = await listen('dashboard', keeperOf())
    const { cookie, token } = await logIn(server.origin, server.createLink())
    const text = readFileSync(join(folder, 'logins.json'), 'utf8')
    expect(statSync(join(folder, 'logins.json')).mode & 0o777).toBe(0o600)
    expect([token, cookie.split('=')[1] ?? ''].filter((secret) => text.includes(secret))).toEqual([])
    const again = await restarted(server)
    expect(again.origin).toBe(server.origin)
    const page = createClient(await openWeb(again.origin, cookie), { token, client: 'test' })
    await page.ready
    page.close()
  })

  it('is void when another program had the port meanwhile, also when that has gone', async () => {
    const server = await listen('dashboard', keeperOf())
    const { cookie } = await logIn(server.origin, server.createLink())
    servers.splice(0)
    await server.close()
    const thief = createServer().listen(Number(new URL(server.origin).port), '127.0.0.1')
    await once(thief, 'listening')
    const elsewhere = await listen('dashboard', keeperOf())
    expect(elsewhere.origin).not.toBe(server.origin)
    thief.close()
    expect(await refusal(elsewhere, { Origin: elsewhere.origin, Cookie: cookie.replace(/^\w+=/, `holdfast_${new URL(elsewhere.origin).port}=`) })).toBe(403)
    expect(keeperOf().load()).toBeNull()
  })

  it('ends after a week, and where nothing is kept with the host', async () => {
    const server = await listen('dashboard', keeperOf())
    const { cookie } = await logIn(server.origin, server.createLink())
    now += LOGIN_LIFETIME_MS
    expect(await refusal(server, { Origin: server.origin, Cookie: cookie })).toBe(403)
    writeFileSync(join(folder, 'logins.json'), '{"port": 80, "sessions": "all"}')
    expect(keeperOf().load()).toBeNull()
  })

  it('is proven by the host before the page says its token, to this page and this login alone', async () => {
    const server = await listen('dashboard', keeperOf())
    const { cookie, token } = await logIn(server.origin, server.createLink())
    const key = createHash('sha256').update(token).digest()
    const proof = (nonce: string): string => createHmac('sha256', key).update(`holdfast host ${nonce}`).digest('hex')
    expect(await (await prove(server, cookie)).json()).toEqual({ proof: proof('n'.repeat(64)) })
    expect((await prove(server, cookie, 'https://evil.example')).status).toBe(403)
    expect((await prove(server, 'holdfast_1=guessed')).status).toBe(401)
    expect((await prove(server, cookie, server.origin, 'short')).status).toBe(401)
  })

  it('ends with a word for every window, and their connections with it', async () => {
    const server = await listen('dashboard', keeperOf())
    const { cookie, token } = await logIn(server.origin, server.createLink())
    const page = createClient(await openWeb(server.origin, cookie), { token, client: 'test' })
    await page.ready
    server.logOut()
    expect(await page.closed).toContain('ended')
    expect(await refusal(server, { Origin: server.origin, Cookie: cookie })).toBe(403)
    expect(keeperOf().load()).toBeNull()
  })
})
