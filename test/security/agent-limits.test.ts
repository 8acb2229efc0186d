import { mkdtempSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { listenForAgents, type AgentServer } from '../../shared/core/transports/agent-server.ts'

const TOKEN = 't'.repeat(43)
let folder = ''
let server: AgentServer
let floods = 0
let judged: (() => void)[] = []

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hf-'))
  server = await listenForAgents()
  floods = 0
  judged = []
  const routes = {
    sign: () => Promise.reject(new Error('not here')),
    hook: () => new Promise((resolve) => judged.push(() => resolve({}))),
    model: () => Promise.resolve(),
    proxy: null,
    onFlood: () => (floods += 1),
  }
  await server.admitApart(TOKEN, routes)({ path: join(folder, 'own.sock') })
})
afterEach(async () => {
  server.revoke(TOKEN)
  await server.close()
  rmSync(folder, { recursive: true })
})

const post = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const path = `${new URL(server.baseUrlFor(TOKEN)).pathname}/hook/pre-tool-use`
    const sent = request({ socketPath: join(folder, 'own.sock'), method: 'POST', path, headers: { host: `127.0.0.1:${server.port}` }, agent: false }, (answer) => {
      answer.resume()
      resolve(answer.statusCode ?? 0)
    })
    sent.once('error', reject)
    sent.end('{}')
  })
const until = async (fits: () => boolean): Promise<void> => {
  while (!fits()) await new Promise((resolve) => setTimeout(resolve, 5))
}

test('a session has no more than 100 hooks judged at once: one more is blocked and told of once, and the others are answered', async () => {
  const waiting = Array.from({ length: 100 }, post)
  await until(() => judged.length === 100)
  expect([await post(), await post(), floods]).toEqual([429, 429, 1])
  for (const answer of judged) answer()
  expect(new Set(await Promise.all(waiting))).toEqual(new Set([200]))
})

test('a session has no more than 3,000 hooks judged in a minute', async () => {
  const seen: Record<number, number> = {}
  for (let sent = 0; sent < 3_060; sent += 60) {
    const batch = Array.from({ length: 60 }, post)
    await until(() => judged.length === 60 || sent >= 3_000)
    for (const answer of judged.splice(0)) answer()
    for (const status of await Promise.all(batch)) seen[status] = (seen[status] ?? 0) + 1
  }
  expect(seen).toEqual({ 200: 3_000, 429: 60 })
  expect(floods).toBe(1)
})

test('a session’s own socket holds no more than 256 connections', async () => {
  const sockets: Socket[] = []
  let ended = 0
  for (let index = 0; index < 260; index += 1) {
    const socket = connect(join(folder, 'own.sock'))
    socket.on('error', () => undefined)
    socket.once('close', () => (ended += 1))
    sockets.push(socket)
  }
  await until(() => ended === 4)
  expect(sockets.filter(({ destroyed }) => !destroyed)).toHaveLength(256)
  for (const socket of sockets) socket.destroy()
})
