import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { MAX_FRAME_BYTES, PROTOCOL_VERSION } from '../../shared/contract/protocol.ts'
import { createDispatcher, type Handlers } from '../../shared/core/api/dispatcher.ts'
import { createEventHub } from '../../shared/core/api/event-hub.ts'
import { descendsFrom, processStartTime } from '../../shared/core/process-info.ts'
import { connectLocal } from '../../shared/core/transports/local-socket-client.ts'
import { listenLocalSocket, type LocalSocketServer } from '../../shared/core/transports/local-socket-server.ts'
import { peerOf } from '../../shared/core/transports/peer-credentials.ts'

const isLinux = process.platform === 'linux'
const isRoot = process.getuid?.() === 0
const TOKEN = 'canary-token-0123456789-0123456789'
const NOBODY = 65_534

/** Says hello with the right token and prints all that comes back. */
const CLIENT_SCRIPT = `
  const socket = require('node:net').connect(process.argv[1])
  socket.on('error', (error) => console.log(error.code))
  socket.write(process.argv[2] + '\\n')
  socket.pipe(process.stdout)
`

const HELLO = JSON.stringify({ hello: { protocol: PROTOCOL_VERSION, token: TOKEN, client: 'test' } })

describe.skipIf(!isLinux)('the local socket', () => {
  let folder: string
  let socketPath: string
  let server: LocalSocketServer | undefined
  let handled: number

  const listen = async (
    isForbiddenPeer: (pid: number) => Promise<boolean> | boolean = () => false,
    path = socketPath,
  ) => {
    const info = () => {
      handled += 1
      return { version: '1', pid: 1, startedAt: 1, dataFolder: '/', sessions: 0, approvalsPage: null }
    }
    const dispatch = createDispatcher({ 'host/info': info } as unknown as Handlers, {
      authorise: () => undefined,
      logFault: () => undefined,
    })
    server = await listenLocalSocket({
      socketPath: path,
      token: TOKEN,
      dispatch,
      hub: createEventHub(),
      isForbiddenPeer,
    })
    return server
  }

  const endpoint = () => ({
    protocol: PROTOCOL_VERSION,
    pid: process.pid,
    processStartTime: processStartTime(process.pid),
    socketPath,
    token: TOKEN,
  })

  const runClient = async (options: { uid?: number; gid?: number } = {}) => {
    const child = spawn(process.execPath, ['-e', CLIENT_SCRIPT, socketPath, HELLO], {
      ...options,
      env: {},
      cwd: '/',
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    return { pid: child.pid ?? 0, said: await text(child.stdout) }
  }

  const openRaw = async (): Promise<Socket> => {
    const socket = connect(socketPath)
    socket.on('error', () => undefined)
    await once(socket, 'connect')
    return socket
  }

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-'))
    socketPath = join(folder, 'run', 'host.sock')
    handled = 0
  })
  afterEach(async () => {
    await server?.close()
    server = undefined
    await rm(folder, { recursive: true })
  })

  test('and its folder are this user’s alone, and both are as before once it is closed', async () => {
    await listen()
    expect((await stat(socketPath)).mode & 0o777).toBe(0o600)
    expect((await stat(join(folder, 'run'))).mode & 0o777).toBe(0o700)
    await server?.close()
    expect(await readdir(join(folder, 'run'))).toEqual([])
  })

  test.skipIf(!isRoot)('cannot be reached by another user', async () => {
    await listen()
    expect((await runClient({ uid: NOBODY, gid: NOBODY })).said).toBe('EACCES\n')
  })

  test.skipIf(!isRoot)(
    'refuses another user with the right token even when folder and socket were opened to all',
    async () => {
      await listen()
      for (const path of [folder, join(folder, 'run')]) await chmod(path, 0o755)
      await chmod(socketPath, 0o666)
      const { said } = await runClient({ uid: NOBODY, gid: NOBODY })
      expect(JSON.parse(said)).toEqual({
        id: 0,
        error: { code: 'unauthorised', message: 'This host serves another user.' },
      })
    },
  )

  test('refuses a forbidden peer with the right token, and asks about the very process', async () => {
    const asked: number[] = []
    await listen((pid) => {
      asked.push(pid)
      return descendsFrom(pid, process.pid) !== false && pid !== process.pid
    })
    const { pid, said } = await runClient()
    expect(asked).toEqual([pid])
    expect(JSON.parse(said)).toMatchObject({ id: 0, error: { code: 'unauthorised' } })
    const client = await connectLocal(endpoint(), 'test')
    await client.call('host/info', {})
    client.close()
    expect(handled).toBe(1)
  })

  test('reads nothing of a peer before it knows that the peer may connect', async () => {
    const asked = Promise.withResolvers<void>()
    const answer = Promise.withResolvers<boolean>()
    await listen(() => {
      asked.resolve()
      return answer.promise
    })
    const socket = await openRaw()
    const said = text(socket)
    socket.write(`${HELLO}\n{"id":1,"command":"host/info","params":{}}\n`)
    await asked.promise
    expect(handled).toBe(0)
    answer.resolve(true)
    expect(JSON.parse(await said)).toMatchObject({ id: 0, error: { code: 'unauthorised' } })
    expect(handled).toBe(0)
  })

  test('refuses everyone when the check of the peer fails, and says nothing of why', async () => {
    await listen(() => Promise.reject(new Error('detail')))
    await expect(connectLocal(endpoint(), 'test')).rejects.toMatchObject({
      code: 'unauthorised',
      message: 'The host could not check where this connection comes from.',
    })
  })

  test('refuses a peer that ended before it could be checked, though a child holds the connection', async () => {
    const script = `
      const { spawn } = require('node:child_process')
      const socket = require('node:net').connect(process.argv[1], () => {
        const talk = 'echo "$1" >&0; exec cat'
        spawn('/bin/sh', ['-c', talk, 'sh', process.argv[2]], { stdio: [socket, 'inherit', 'inherit'] })
        process.exit()
      })`
    const ended = Promise.withResolvers<unknown>()
    await listen(async () => {
      await ended.promise
      return false
    })
    const options = { env: {}, stdio: ['ignore', 'pipe', 'inherit'] as ['ignore', 'pipe', 'inherit'] }
    const child = spawn(process.execPath, ['-e', script, socketPath, HELLO], options)
    child.once('exit', ended.resolve)
    expect(JSON.parse(await text(child.stdout))).toMatchObject({ id: 0, error: { code: 'unauthorised' } })
  })

  test('ends the connection on a frame that is too long', async () => {
    await listen()
    const socket = await openRaw()
    socket.write(`${HELLO}\n`)
    await once(socket, 'data')
    const closed = once(socket, 'close')
    socket.write(Buffer.alloc(MAX_FRAME_BYTES + 2, 'x'))
    await closed
    expect(socket.bytesWritten).toBeGreaterThan(MAX_FRAME_BYTES)
  })

  test('ends the connection on bytes that are not text', async () => {
    await listen()
    const socket = await openRaw()
    const closed = once(socket, 'close')
    socket.write(Buffer.from([0xff, 0xfe, 0x0a]))
    await closed
    expect(handled).toBe(0)
  })

  test('takes nothing more from a connection once it was refused', async () => {
    await listen()
    const socket = await openRaw()
    const said = text(socket)
    socket.write(`{}\n${HELLO}\n{"id":1,"command":"host/info","params":{}}\n`)
    expect(JSON.parse(await said)).toMatchObject({ id: 0, error: { code: 'unauthorised' } })
    expect(handled).toBe(0)
  })

  test('takes frames that come in halves', async () => {
    await listen()
    const socket = await openRaw()
    const whole = Buffer.from(`${HELLO}\n{"id":1,"command":"host/info","params":{}}\n`)
    for (const byte of whole) socket.write(Buffer.of(byte))
    let said = ''
    for await (const chunk of socket) {
      said += String(chunk)
      if (said.includes('"id":1')) break
    }
    expect(handled).toBe(1)
  })

  test.each([
    ['a wrong token', JSON.stringify({ hello: { protocol: PROTOCOL_VERSION, token: `${TOKEN}x`, client: 'test' } })],
    ['another protocol', JSON.stringify({ hello: { protocol: PROTOCOL_VERSION + 1, token: TOKEN, client: 'test' } })],
    ['half a hello', HELLO.slice(0, -3)],
    ['a hello of wrong types', JSON.stringify({ hello: { protocol: TOKEN, token: [TOKEN], client: 1 } })],
    ['a request that is none', `${HELLO}\n{"token":"${TOKEN}"}`],
    [
      'a request with wrong parameters',
      `${HELLO}\n{"id":1,"command":"secret/remove","params":{"name":["${TOKEN}"],"x":"${TOKEN}"}}\n{}`,
    ],
    ['an unknown command', `${HELLO}\n{"id":1,"command":"${TOKEN}","params":{}}\n{}`],
  ])('never says the token back: %s', async (_what, sent) => {
    await listen()
    const socket = await openRaw()
    const said = text(socket)
    socket.write(`${sent}\n`)
    const answer = await said
    expect(answer).toContain('"error"')
    expect(answer).not.toContain('canary')
  })

  test('a client says what to do when there is no host, or one of another version, without the token', async () => {
    const missing = await connectLocal(endpoint(), 'test').catch((thrown: unknown) => thrown)
    expect(missing).toMatchObject({ code: 'no-host', message: expect.stringContaining('holdfast up') })
    const other = await connectLocal({ ...endpoint(), protocol: 99 }, 'test').catch((thrown: unknown) => thrown)
    expect(other).toMatchObject({
      code: 'version-mismatch',
      message: expect.stringMatching(/protocol 99.*Stop that host/),
    })
    await listen()
    const wrong = await connectLocal({ ...endpoint(), token: `${TOKEN}-old` }, 'test').catch(
      (thrown: unknown) => thrown,
    )
    expect(wrong).toMatchObject({ code: 'unauthorised' })
    for (const error of [missing, other, wrong]) expect(JSON.stringify(error) + String(error)).not.toContain('canary')
  })

  test.each([[undefined, 10_000], [300, 300]])('a host that accepts nobody in time (%s, in ms) is reported as busy, and the try leaves no timer', async (given, afterMs) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    try {
      const silent = createServer(() => undefined)
      socketPath = join(folder, 'silent.sock')
      silent.listen(socketPath)
      await once(silent, 'listening')
      const failed = connectLocal(endpoint(), 'test', given).catch((thrown: unknown) => thrown)
      while (vi.getTimerCount() === 0) await new Promise((resolve) => setImmediate(resolve))
      vi.advanceTimersByTime(afterMs)
      expect(await failed).toMatchObject({ code: 'host-busy' })
      vi.advanceTimersByTime(1_000)
      expect(vi.getTimerCount()).toBe(0)
      silent.close()
    } finally {
      vi.useRealTimers()
    }
  })

  test('a second host is told of the first, which goes on', async () => {
    const first = await listen()
    await expect(listen()).rejects.toMatchObject({ code: 'host-busy' })
    server = first
    await (await connectLocal(endpoint(), 'test')).call('host/info', {})
  })

  test('takes the place of a socket whose host was killed, but of no other file', async () => {
    const run = join(folder, 'run')
    await listen()
    await server?.close()
    const script = `require('net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`
    await once(spawn(process.execPath, ['-e', script, socketPath], { env: {}, stdio: 'ignore' }), 'exit')
    expect(await readdir(run)).toEqual(['host.sock'])
    await listen()
    await (await connectLocal(endpoint(), 'test')).call('host/info', {})
    await server?.close()
    server = undefined
    await writeFile(socketPath, 'kept')
    await expect(listen()).rejects.toMatchObject({ code: 'EADDRINUSE' })
    expect(await readdir(run)).toEqual(['host.sock'])
  })

  test('is refused a path longer than the system allows, with the limit and what to set', async () => {
    const path = join(folder, 'x'.repeat(107 - folder.length - 3), 'y')
    expect(Buffer.byteLength(path)).toBe(107)
    await listen(() => false, path)
    await server?.close()
    await expect(listen(() => false, `${path}y`)).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringMatching(/108 bytes.* 107.*HOLDFAST_HOME/),
    })
  })

  test('is not made in a folder that is open to others, or is a link', async () => {
    await chmod(folder, 0o755)
    await expect(listen(() => false, join(folder, 'host.sock'))).rejects.toMatchObject({ code: 'unauthorised' })
    await symlink('/', join(folder, 'link'))
    await expect(listen(() => false, join(folder, 'link', 'host.sock'))).rejects.toMatchObject({
      code: 'unauthorised',
      message: expect.stringContaining('is a link'),
    })
  })

  test('tells of a peer its process and user, and of a closed socket nothing', async () => {
    const path = join(folder, 'peer.sock')
    const plain = createServer()
    plain.listen(path)
    await once(plain, 'listening')
    const client = connect(path)
    const [socket] = (await once(plain, 'connection')) as [Socket]
    expect(peerOf(socket)).toEqual({ pid: process.pid, uid: process.getuid?.() })
    const closed = once(socket, 'close')
    socket.destroy()
    client.destroy()
    await closed
    expect(peerOf(socket)).toBeNull()
    plain.close()
  })
})
