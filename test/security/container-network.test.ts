import { createServer as createHttpServer } from 'node:http'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { rmSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createLinuxProvider } from '../../shared/core/containers/linux.ts'
import { createPlainProvider } from '../../shared/core/containers/plain.ts'
import type { ContainerSpec } from '../../shared/core/ports.ts'
import { makeScene, runToEnd } from '../fixtures/containers.ts'

const RELAY = fileURLToPath(new URL('../../shared/host/network-relay.ts', import.meta.url))
const PORT = 41_777
const provider = createLinuxProvider()
const missing = await provider.unavailable()

const listening = (server: Server, ...where: [number, string] | [string]): Promise<void> =>
  new Promise((resolve) => server.listen(...(where as [string]), resolve))

describe.skipIf(missing !== null)('a linux container with a closed network', () => {
  const scene = makeScene()
  const socketPath = path.join(scene.folder, 'way-out.sock')
  const machine = createServer((socket) => socket.end('reached the machine'))
  const machine6 = createServer((socket) => socket.end('reached the machine'))
  const abstract = createServer((socket) => socket.end('reached the machine'))
  const host = createHttpServer((request, response) => response.end(`the host heard ${request.url}`))

  const closed = (script: string, more: Partial<ContainerSpec> = {}) =>
    runToEnd(
      provider,
      scene.spec(script, {
        network: { relay: { file: process.execPath, program: RELAY }, port: PORT, socketPath },
        readable: [process.execPath, RELAY, socketPath],
        ...more,
      }),
    )
  const node = (program: string) => `${process.execPath} -e '${program}'`
  /** Prints what a connection gave, or its error's code. */
  const tries = (target: string) =>
    node(`require("net").connect(${target}).on("data", (data) => console.log(String(data))).on("error", (error) => console.log(error.code))`)
  const portOf = (server: Server) => (server.address() as AddressInfo).port

  beforeAll(async () => {
    await listening(machine, 0, '127.0.0.1')
    await listening(machine6, 0, '::1')
    await listening(abstract, '\0holdfast-test-abstract')
    await listening(host, socketPath)
  })
  afterAll(() => {
    for (const server of [machine, machine6, abstract, host]) server.close()
    rmSync(scene.folder, { recursive: true, force: true })
  })

  test('reaches the host through the one port, from the command’s first moment on', async () => {
    const { stdout, code } = await closed(node(`fetch("http://127.0.0.1:${PORT}/hello").then((r) => r.text()).then(console.log)`))
    expect(stdout).toBe('the host heard /hello\n')
    expect(code).toBe(0)
  })

  test('reaches no port of the machine, over IPv4 or IPv6, and no abstract socket', async () => {
    expect((await closed(tries(`${portOf(machine)}, "127.0.0.1"`))).stdout).toBe('ECONNREFUSED\n')
    expect((await closed(tries(`${portOf(machine6)}, "::1"`))).stdout).toBe('ECONNREFUSED\n')
    expect((await closed(tries('"\\0holdfast-test-abstract"'))).stdout).toBe('ECONNREFUSED\n')
  })

  test('has no way to any address, nor to a name server', async () => {
    expect((await closed('grep -o "[a-z0-9]*:" /proc/net/dev')).stdout).toBe('lo:\n')
    expect((await closed(tries('443, "192.0.2.1"'))).stdout).toBe('ENETUNREACH\n')
    const resolves = node('require("dns").promises.resolve4("holdfast.test").catch((error) => console.log(error.code))')
    expect((await closed(resolves)).stdout).toMatch(/^E(CONNREFUSED|TIMEOUT)\n$/)
  })

  test('with its relay ended by the agent there is no way out at all', async () => {
    const relay = '^/[^ ]*node [^ ]*network-relay'
    const ends = `pkill -f '${relay}'; while pgrep -f '${relay}' >/dev/null; do :; done; ${tries(`${PORT}, "127.0.0.1"`)}`
    expect((await closed(ends)).stdout).toBe('ECONNREFUSED\n')
  })

  test('leaves no process behind, and passes signals and exit codes as ever', async () => {
    expect((await closed('exit 7')).code).toBe(7)
    const container = await provider.launch(
      scene.spec('trap "exit 9" TERM; echo up; while :; do sleep 0.01; done', {
        network: { relay: { file: process.execPath, program: RELAY }, port: PORT, socketPath },
        readable: [process.execPath, RELAY, socketPath],
      }),
    )
    await new Promise((resolve) => container.pipes?.stdout.once('data', resolve))
    container.signal('SIGTERM')
    expect((await container.exited).code).toBe(9)
    expect((await container.kill()).survivors).toEqual([])
    expect(await container.processes()).toEqual([])
  })

  test('does not start when the relay does not', async () => {
    const broken = { relay: { file: '/bin/false', program: RELAY }, port: PORT, socketPath }
    await expect(closed('echo ran', { network: broken })).rejects.toMatchObject({ code: 'container-unavailable' })
  })

  test('a plain container refuses, as it cannot close the network', async () => {
    const spec = scene.spec('echo ran', { network: { relay: { file: process.execPath, program: RELAY }, port: PORT, socketPath } })
    await expect(createPlainProvider().launch(spec)).rejects.toMatchObject({ code: 'container-unavailable' })
  })
})
