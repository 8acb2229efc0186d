import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import { createLinuxProvider } from '../../shared/core/containers/linux.ts'
import { findTool, tryTool } from '../../shared/core/containers/tools.ts'
import type { NetworkScript } from '../fixtures/network-host.ts'
import type { Outcome } from '../fixtures/containers.ts'

const HOST = fileURLToPath(new URL('../fixtures/network-host.ts', import.meta.url))
const missing = (await createLinuxProvider().unavailable())
  ?? (findTool('ip') === null || findTool('curl') === null ? 'iproute2 or curl is not installed' : null)
  ?? (await tryTool(findTool('unshare') ?? 'unshare', ['--net', 'true']))

const inSession = async (order: NetworkScript): Promise<Outcome & { looked: string[]; asked: string[]; ledger: string[] }> => {
  const host = spawn('unshare', ['--net', process.execPath, HOST], { stdio: ['pipe', 'pipe', 'pipe'], env: { PATH: process.env['PATH'] } })
  host.stdin.end(JSON.stringify(order))
  const [said, problem] = await Promise.all([text(host.stdout), text(host.stderr)])
  try {
    return JSON.parse(said) as Outcome & { looked: string[]; asked: string[]; ledger: string[] }
  } catch {
    throw new Error(`${said}${problem}`)
  }
}

describe.skipIf(missing !== null)('the network of a session', () => {
  test('allowlist: npm installs a package from a registry of the project without a question', async () => {
    const { stdout, stderr, asked, ledger } = await inSession({
      mode: 'allowlist',
      script: `echo '{"name":"p","version":"1.0.0"}' > package.json && npm install --silent --no-audit --no-fund --registry http://registry.test tiny && node -p "require('tiny')"`,
    })
    expect(stderr).toBe('')
    expect(stdout).toBe('from the registry\n')
    expect(asked).toEqual([])
    expect(ledger).toEqual(['network/reached registry.test'])
  })

  test('allowlist: the first use of another host asks, once for all its connections; no name is looked up before the answer', async () => {
    const { stdout, asked, looked, ledger } = await inSession({
      mode: 'allowlist',
      approves: ['other.test'],
      script: 'curl -s http://other.test/a & curl -s http://other.test/b & wait; curl -s --proxytunnel http://other.test/c; curl -s http://secret-in-a-name.refused.test/; curl -s http://secret-in-a-name.refused.test/',
    })
    expect(stdout.split('\n').sort()).toEqual([
      '',
      'Holdfast: no connection to secret-in-a-name.refused.test:80. The user said no.',
      'Holdfast: no connection to secret-in-a-name.refused.test:80. The user said no.',
      'other.test says hello to GET /a; proxy headers: 0',
      'other.test says hello to GET /b; proxy headers: 0',
      'other.test says hello to GET /c; proxy headers: 0',
    ])
    expect(asked).toEqual(['other.test:80', 'secret-in-a-name.refused.test:80'])
    expect(looked).toEqual(['other.test', 'other.test', 'other.test'])
    expect(ledger).toEqual(['network/reached other.test', 'network/refused secret-in-a-name.refused.test'])
  })

  test('allowlist: rules of the profile let a host through, and keep a listed one out', async () => {
    const { stdout, asked } = await inSession({
      mode: 'allowlist',
      allow: ['Network(*.test:80)'],
      deny: ['Network(registry.test)'],
      script: 'curl -s http://other.test/; curl -s http://registry.test/',
    })
    expect(stdout).toBe('other.test says hello to GET /; proxy headers: 0\nHoldfast: no connection to registry.test:80. Policy says no.\n')
    expect(asked).toEqual([])
  })

  test('allowlist: the model’s own host is behind the gateway alone', async () => {
    const { stdout, asked } = await inSession({ mode: 'allowlist', approves: ['model.test'], script: 'curl -s http://model.test/; curl -s $BASE_URL/v1/messages' })
    expect(stdout).toBe('Holdfast: no connection to model.test:80. The model is reached through Holdfast alone.\nthe model heard /v1/messages\n')
    expect(asked).toEqual([])
  })

  test('allowlist: a name that leads back to this machine opens nothing, though a person said yes', async () => {
    const { stdout } = await inSession({
      mode: 'allowlist',
      approves: ['inward.test', 'mapped.test'],
      script: 'curl -s http://inward.test:8080/; curl -s http://mapped.test:8080/',
    })
    const why = 'Its name leads to this machine or the network it is in. If that is meant, use the address itself.'
    expect(stdout).toBe(`Holdfast: no connection to inward.test:8080. ${why}\nHoldfast: no connection to mapped.test:8080. ${why}\n`)
  })

  test('allowlist: every spelling of an address of this machine is asked about as what it is', async () => {
    const spellings = ['127.0.0.1', '127.1', '0x7f000001', '2130706433', '0177.0.0.1', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '127.0.0.1.']
    const curl = (host: string) => `curl -s --noproxy '' --path-as-is -x http://127.0.0.1:\${HTTP_PROXY##*:} 'http://${host}:8080/'`
    const { stdout, asked } = await inSession({ mode: 'allowlist', script: spellings.map(curl).join('; ') })
    expect(stdout).not.toContain('the machine')
    expect(new Set(asked)).toEqual(new Set(['127.0.0.1:8080', '::ffff:7f00:1:8080']))
  })

  describe('allowlist: with its variables unset there is no way round the proxy', () => {
    /** Each says what it got, after its name. */
    const WAYS = {
      'to a host by name': 'curl -s --max-time 5 http://registry.test/',
      'to a host by address': 'curl -s --max-time 5 http://203.0.113.7/',
      'to this machine': 'curl -s --max-time 5 http://127.0.0.1:8080/',
      'to this machine by IPv6': "curl -s --max-time 5 'http://[::1]:8080/'",
      'to a host by IPv6': "curl -s --max-time 5 'http://[::ffff:203.0.113.7]/'",
      'to a name server, by the system’s own lookup': 'getent hosts registry.test',
      'to a name server, by its address': `node -e 'const s = require("dgram").createSocket("udp4"); s.on("error", () => s.close()); s.send(Buffer.alloc(17), 53, "203.0.113.7", (e) => { console.log(e === null ? "sent" : ""); s.close() })'`,
    } as const
    let outcome: Awaited<ReturnType<typeof inSession>> | undefined
    beforeAll(async () => {
      const tries = Object.entries(WAYS).map(([name, command]) => `echo "${name}: $(${command} 2>/dev/null)"`)
      outcome = await inSession({ mode: 'allowlist', script: ['unset HTTP_PROXY HTTPS_PROXY http_proxy https_proxy NODE_USE_ENV_PROXY', ...tries].join('\n') })
    })
    test.each(Object.keys(WAYS))('%s', (name) => expect(outcome?.stdout.split('\n')).toContain(`${name}: `))
    test('and no name is looked up outside', () => expect(outcome?.looked).toEqual([]))
  })

  test('allowlist: what is not a request for a host is refused, and a token in the path opens no other session', async () => {
    const { stdout, asked } = await inSession({
      mode: 'allowlist',
      script: [
        `say() { node -e 'const s = require("net").connect(new URL(process.env.HTTP_PROXY).port, "127.0.0.1", () => s.end(process.argv[1].replaceAll("|", "\\r\\n") + "\\r\\n\\r\\n")); s.on("data", (d) => console.log(String(d).split("\\r\\n")[0]))' "$1"; }`,
        'say "CONNECT other.test HTTP/1.1|host: x"', 'say "CONNECT user@other.test:80 HTTP/1.1|host: x"', 'say "CONNECT other.test:99999 HTTP/1.1|host: x"',
        'say "GET ftp://other.test/ HTTP/1.1|host: x"', 'say "GET http://u:p@other.test/ HTTP/1.1|host: x"',
        'say "GET /session/another-token-another-token/v1/messages HTTP/1.1|host: 127.0.0.1"',
      ].join('\n'),
    })
    expect(stdout).toBe(['400 Bad Request', '400 Bad Request', '400 Bad Request', '400 Bad Request', '400 Bad Request', '403 Forbidden'].map((line) => `HTTP/1.1 ${line}\n`).join(''))
    expect(asked).toEqual([])
  })

  test('gateway: the model, and nothing else', async () => {
    const { stdout, asked } = await inSession({
      mode: 'gateway',
      approves: ['other.test'],
      script: 'curl -s $BASE_URL/v1/messages; curl -s -o /dev/null -w "%{http_code}\\n" -x ${BASE_URL%/session*} http://other.test/; curl -s -p -o /dev/null -w "%{http_connect}\\n" -x ${BASE_URL%/session*} http://other.test/',
    })
    expect(stdout).toBe('the model heard /v1/messages\n403\n403\n')
    expect(asked).toEqual([])
  })
})
