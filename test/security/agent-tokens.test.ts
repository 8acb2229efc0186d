import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { PROTOCOL_VERSION } from '../../shared/contract/protocol.ts'
import { bash, createScriptedWorld } from '../support/script.ts'
import { missingForEndToEnd, nextEvent, type World } from '../support/world.ts'

const missing = missingForEndToEnd()

let world: World | null = null
afterEach(async () => {
  await world?.end()
  world = null
})

/**
 * Runs inside the session: takes every word of its environment and its processes' that could be a token, every socket it
 * can see and every loopback port that its environment names, and tries each token on each of them, in every way that the
 * host speaks, to list the approvals and to answer the one that waits.
 */
const ATTACK = `
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
const texts = [JSON.stringify(process.env)]
for (const pid of readdirSync('/proc').filter((name) => /^\\d+$/.test(name))) for (const file of ['environ', 'cmdline']) try { texts.push(readFileSync(join('/proc', pid, file), 'latin1')) } catch {}
const tokens = [...new Set(texts.join(' ').match(/[A-Za-z0-9_-]{24,}/g) ?? [])].slice(0, 60)
const ports = [...new Set([...texts.join(' ').matchAll(/(?:127\\.0\\.0\\.1|localhost):(\\d{2,5})/g)].map(([, port]) => Number(port)))]
const sockets = []
const look = (folder, depth) => { try { for (const name of readdirSync(folder)) { const path = join(folder, name); const stat = statSync(path); if (stat.isSocket()) sockets.push(path); else if (stat.isDirectory() && depth > 0) look(path, depth - 1) } } catch {} }
for (const folder of [...new Set([...texts.join(' ').matchAll(/\\/[^\\s"'\\0:]*\\/run\\b/g)].map(([path]) => path)), '/run', '/tmp', process.cwd()]) look(folder, 4)
const say = (target, text) => new Promise((resolve) => {
  const socket = connect(target)
  let said = ''
  socket.on('connect', () => socket.write(text)).on('data', (data) => { said += data }).on('error', () => {})
  setTimeout(() => { socket.destroy(); resolve(said) }, 150)
})
let tried = 0
const answers = []
const lines = (token) => [{ hello: { protocol: ${PROTOCOL_VERSION}, token, client: 'cli' } }, { id: 1, command: 'approval/list', params: {} }, { id: 2, command: 'approval/decide', params: { approvalId: 'apr_22222222222b', bindingHash: 'x', answer: 'approve' } }].map((line) => JSON.stringify(line) + '\\n').join('')
const http = (token, path, method = 'GET', extra = '') => method + ' ' + path + ' HTTP/1.1\\r\\nhost: 127.0.0.1\\r\\nauthorization: Bearer ' + token + '\\r\\n' + extra + 'content-length: 0\\r\\nconnection: close\\r\\n\\r\\n'
const upgrade = 'connection: Upgrade\\r\\nupgrade: websocket\\r\\nsec-websocket-version: 13\\r\\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n'
for (const target of [...sockets, ...ports.map((port) => ({ port, host: '127.0.0.1' }))]) {
  const all = tokens.flatMap((token) => [lines(token), http(token, '/contract', 'GET', upgrade), http(token, '/session/' + token + '/contract', 'GET', upgrade), http(token, '/session/' + token + '/approval/list', 'POST'), http(token, '/login?link=' + token, 'POST')])
  tried += all.length
  for (let at = 0; at < all.length; at += 20) answers.push(...(await Promise.all(all.slice(at, at + 20).map((text) => say(target, text)))))
}
console.log(JSON.stringify({ tokens: tokens.length, places: sockets.length + ports.length, tried, answers: [...new Set(answers.map((text) => text.slice(0, 300)))] }))
`

describe.skipIf(missing !== null)(`the tokens that a session has${missing === null ? '' : ` (missing: ${missing})`}`, () => {
  it('neither list nor answer an approval, tried one by one wherever the session can connect', async () => {
    const here = (world = await createScriptedWorld(() => [bash(`(${process.execPath} attack.mjs > attack.out 2> attack.err; mv attack.out attack.json) > /dev/null 2>&1 &`), bash('rm -rf build')]))
    writeFileSync(join(here.project, 'attack.mjs'), ATTACK)
    await here.holdfast(['up'])
    const client = await here.client()
    // A question that waits meanwhile, of another session.
    const other = nextEvent(client, 'approval/changed', ({ state }) => state === 'waiting')
    const waiting = here.start(['run', '--profile', 'test', '--', 'claude', '-p', 'Do it.'])
    waiting.child.stdin?.end()
    const { id, bindingHash } = await other
    await expect.poll(() => existsSync(join(here.project, 'attack.json')), { timeout: 50_000 }).toBe(true)
    expect((await client.call('approval/list', {})).requests).toHaveLength(1)
    await client.call('approval/decide', { approvalId: id, bindingHash, answer: 'deny', reason: 'no' })
    expect((await waiting.finished).code).toBe(0)
    const { tokens, places, tried, answers } = JSON.parse(readFileSync(join(here.project, 'attack.json'), 'utf8')) as { tokens: number; places: number; tried: number; answers: string[] }
    expect(tokens).toBeGreaterThan(0)
    expect(places).toBeGreaterThan(0)
    expect(tried).toBeGreaterThan(10)
    expect(answers.filter((text) => /"requests"|"result"|101 Switching|"token"/.test(text))).toEqual([])
    expect(existsSync(join(here.project, 'build', 'out.txt'))).toBe(true)
    client.close()
  })
})
