import { createServer as createHttpServer } from 'node:http'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { existsSync, rmSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createLinuxProvider } from '../../shared/core/containers/linux.ts'
import { createPlainProvider } from '../../shared/core/containers/plain.ts'
import type { ContainerSpec, Listen } from '../../shared/core/ports.ts'
import { makeScene, runToEnd } from '../fixtures/containers.ts'

const PORT = 41_777
const provider = createLinuxProvider()
const missing = await provider.unavailable()

const listening = (server: Server, where: object): Promise<void> => new Promise((resolve) => server.listen(where, resolve))

describe.skipIf(missing !== null)('a linux container with a closed network', () => {
  const scene = makeScene()
  const machine = createServer((socket) => socket.end('reached the machine'))
  const machine6 = createServer((socket) => socket.end('reached the machine'))
  const abstract = createServer((socket) => socket.end('reached the machine'))

  /** A container whose one port is served by a server of this process, for as long as `work` goes on. */
  const withHost = async <T>(work: (closed: (script: string) => ContainerSpec) => Promise<T>): Promise<T> => {
    const host = createHttpServer((request, response) => response.end(`the host heard ${request.url}`))
    const listen: Listen = (where) => listening(host, where)
    try {
      return await work((script) => scene.spec(script, { network: { port: PORT, listen }, readable: [process.execPath] }))
    } finally {
      host.close()
      host.closeAllConnections()
    }
  }
  const closed = (script: string) => withHost((spec) => runToEnd(provider, spec(script)))
  const node = (program: string) => `${process.execPath} -e '${program}'`
  /** Prints what a connection gave, or its error's code. */
  const tries = (target: string) =>
    node(`require("net").connect(${target}).on("data", (data) => console.log(String(data))).on("error", (error) => console.log(error.code))`)
  const portOf = (server: Server) => (server.address() as AddressInfo).port

  beforeAll(async () => {
    await listening(machine, { port: 0, host: '127.0.0.1' })
    await listening(machine6, { port: 0, host: '::1' })
    await listening(abstract, { path: '\0holdfast-test-abstract' })
  })
  afterAll(() => {
    for (const server of [machine, machine6, abstract]) server.close()
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

  test('its way out is in the host’s hands: no process, file or descriptor of it is inside, and nothing else can take the port', async () => {
    const script = [
      `inode=$(awk 'NR > 1 { print $10 }' /proc/net/tcp)`,
      'test -n "$inode" && ls -l /proc/[0-9]*/fd 2>/dev/null | grep "socket:\\[$inode\\]"',
      'readlink /proc/[0-9]*/exe | grep perl',
      'env | grep PERL',
      node(`require("net").createServer().on("error", (error) => console.log(error.code)).listen({ port: ${PORT}, host: "127.0.0.1", reusePort: true })`),
    ]
    const { stdout } = await closed(script.join('\n'))
    expect(stdout).toBe('EADDRINUSE\n')
  })

  test('serves two containers at the same port, each by its own server', async () => {
    const asks = node(`fetch("http://127.0.0.1:${PORT}/").then((r) => r.text()).then(console.log)`)
    const both = await Promise.all(['one', 'other'].map(async (name) => {
      const host = createHttpServer((_, response) => response.end(name))
      const { stdout } = await runToEnd(provider, scene.spec(asks, { network: { port: PORT, listen: (where) => listening(host, where) }, readable: [process.execPath] }))
      host.close()
      return stdout
    }))
    expect(both).toEqual(['one\n', 'other\n'])
  })

  test('leaves no process behind, and passes signals and exit codes as ever', async () => {
    expect((await closed('exit 7')).code).toBe(7)
    await withHost(async (spec) => {
      const container = await provider.launch(spec('trap "exit 9" TERM; echo up; while :; do sleep 0.01; done'))
      await new Promise((resolve) => container.pipes?.stdout.once('data', resolve))
      container.signal('SIGTERM')
      expect((await container.exited).code).toBe(9)
      expect((await container.kill()).survivors).toEqual([])
      expect(await container.processes()).toEqual([])
    })
  })

  test('says nothing of a locale that is missing, and of a program that is, as a shell does', async () => {
    const env = { PATH: '/usr/bin:/bin', LANG: 'xx_XX.UTF-8', LC_ALL: 'xx_XX.UTF-8' }
    expect(await withHost((spec) => runToEnd(provider, { ...spec('echo ran'), env }))).toMatchObject({ stdout: 'ran\n', stderr: '', code: 0 })
    expect(await withHost((spec) => runToEnd(provider, { ...spec(''), file: '/none', args: [] }))).toMatchObject({ stderr: '/none: No such file or directory\n', code: 127 })
  })

  test('does not start when the host cannot serve it, and leaves nothing', async () => {
    const spec = scene.spec('echo ran', { network: { port: PORT, listen: () => Promise.reject(new Error('the session has ended')) } })
    await expect(provider.launch(spec)).rejects.toThrow('the session has ended')
    expect(existsSync(spec.killFile)).toBe(false)
  })

  test('a plain container refuses, as it cannot close the network', async () => {
    const spec = scene.spec('echo ran', { network: { port: PORT, listen: () => Promise.resolve() } })
    await expect(createPlainProvider().launch(spec)).rejects.toMatchObject({ code: 'container-unavailable' })
  })
})
