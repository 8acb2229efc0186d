import { afterEach, describe, expect, test, vi } from 'vitest'
import { createClient, type Client, type FrameSocket } from '../../shared/contract/client.ts'
import { HoldfastError } from '../../shared/contract/errors.ts'
import { MAX_FRAME_BYTES, PROTOCOL_VERSION, type CommandName } from '../../shared/contract/protocol.ts'
import type { DispatcherDeps, Handlers } from '../../shared/core/api/dispatcher.ts'
import { MAX_BUFFERED_BYTES } from '../../shared/core/transports/serve-connection.ts'
import { HOST_INFO, TOKEN, TRANSPORTS, type TestHost } from './transports.ts'

const RESOLVED = { agent: '', adapter: 'none', sandbox: 'auto', network: 'gateway', spendUsd: null, modelKey: '', hasServers: false } as const

const alarm = (message: string) => ({ sessionId: null, message })

const framesOf = (socket: FrameSocket) => {
  const waiting: ((frame: unknown) => void)[] = []
  const arrived: unknown[] = []
  socket.onFrame((text) => {
    const frame: unknown = JSON.parse(text)
    const next = waiting.shift()
    if (next === undefined) arrived.push(frame)
    else next(frame)
  })
  return () =>
    new Promise<unknown>((resolve) => (arrived.length > 0 ? resolve(arrived.shift()) : waiting.push(resolve)))
}

const closing = (socket: FrameSocket) => new Promise<string>((resolve) => socket.onClose(resolve))

const sendJson = (socket: FrameSocket, frame: unknown) => socket.send(JSON.stringify(frame))

const HELLO = { hello: { protocol: PROTOCOL_VERSION, token: TOKEN, client: 'test' } }

describe.each(TRANSPORTS)('over the $name', (transport) => {
  const hosts: TestHost[] = []

  const start = async (handlers: Partial<Handlers> = {}, deps: Partial<DispatcherDeps> = {}) => {
    const host = await transport.start(handlers, deps)
    hosts.push(host)
    return host
  }

  const clientOf = async (host: TestHost, token = TOKEN): Promise<Client> =>
    createClient(await host.open(), { token, client: 'test' })

  const greeted = async (host: TestHost) => {
    const socket = await host.open()
    const next = framesOf(socket)
    sendJson(socket, HELLO)
    expect(await next()).toEqual({ id: 0, result: {} })
    return { socket, next }
  }

  afterEach(async () => {
    vi.useRealTimers()
    await Promise.all(hosts.splice(0).map((host) => host.close()))
  })

  test('a call returns the result of its handler', async () => {
    const client = await clientOf(await start())
    expect(await client.call('host/info', {})).toEqual(HOST_INFO)
  })

  test('a handler gets the parameters as the contract has them, without what it does not know', async () => {
    const seen: unknown[] = []
    const client = await clientOf(await start({ 'secret/remove': (params) => (seen.push(params), {}) }))
    await client.call('secret/remove', { name: 'agent/x', extra: 1 } as { name: string })
    expect(seen).toEqual([{ name: 'agent/x' }])
  })

  test('a fault meant for a person arrives with code, message and place', async () => {
    const client = await clientOf(
      await start({
        'host/stop': () => {
          throw new HoldfastError('profile-invalid', 'Line 3 is wrong.', { at: { file: 'holdfast.yaml', line: 3 } })
        },
      }),
    )
    const error = await client.call('host/stop', {}).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(HoldfastError)
    expect(error).toMatchObject({
      code: 'profile-invalid',
      message: 'Line 3 is wrong.',
      at: { file: 'holdfast.yaml', line: 3 },
    })
  })

  test('any other fault arrives as internal without its detail, which only the host logs', async () => {
    const fault = new Error('secret detail /path')
    const host = await start({ 'host/stop': () => Promise.reject(fault) })
    const error = await (await clientOf(host)).call('host/stop', {}).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({
      code: 'internal',
      message: "Something went wrong in the host during host/stop. The host's log says what.",
    })
    expect(host.faults).toEqual([fault])
  })

  test('wrong parameters name the field', async () => {
    const client = await clientOf(await start())
    await expect(
      client.call('session/resize', { sessionId: 'ses_bcdfghjkmnpq' as never, terminal: { columns: 0, rows: 2 } }),
    ).rejects.toMatchObject({ code: 'bad-params', at: { field: 'terminal.columns' } })
  })

  test('a refused command never reaches its handler', async () => {
    let handled = 0
    const host = await start(
      { 'host/stop': () => ((handled += 1), {}) },
      {
        authorise: (_connection, command) => {
          if (command === 'host/stop') throw new HoldfastError('unauthorised', 'Not you.')
        },
      },
    )
    const client = await clientOf(host)
    await expect(client.call('host/stop', {})).rejects.toMatchObject({ code: 'unauthorised' })
    expect(handled).toBe(0)
    expect(await client.call('host/info', {})).toEqual(HOST_INFO)
  })

  test.each(['nothing/such', 'constructor', '__proto__'])(
    'the unknown command %s is refused and the connection goes on',
    async (command) => {
      const { socket, next } = await greeted(await start())
      sendJson(socket, { id: 1, command, params: {} })
      expect(await next()).toMatchObject({ id: 1, error: { code: 'unknown-command' } })
      sendJson(socket, { id: 2, command: 'host/info', params: {} })
      expect(await next()).toEqual({ id: 2, result: HOST_INFO })
    },
  )

  test('a result that does not fit the contract is not handed on', async () => {
    const client = await clientOf(await start({ 'host/info': () => ({ ...HOST_INFO, pid: 'x' as never }) }))
    await expect(client.call('host/info', {})).rejects.toMatchObject({ code: 'version-mismatch' })
  })

  test('an event that this client does not know is ignored', async () => {
    const host = await start()
    const client = await clientOf(host)
    await client.call('host/info', {})
    host.connections[0]?.sendFrame(JSON.stringify({ sequence: 1, event: 'later/invented', data: {} }))
    expect(await client.call('host/info', {})).toEqual(HOST_INFO)
  })

  test('an event that does not fit the contract ends the connection', async () => {
    const host = await start()
    const client = await clientOf(host)
    client.on('alarm/raised', () => undefined)
    await client.call('host/info', {})
    host.hub.subscribe(host.connections[0]!)
    host.hub.publish('alarm/raised', { sessionId: null, message: 7 as never })
    expect(await client.closed).toContain('alarm/raised')
  })

  test('a wrong token is refused before any call, and no answer repeats it', async () => {
    const host = await start()
    const client = await clientOf(host, 'wrong-token-0123456789-0123456789')
    const failed = await client.call('host/info', {}).catch((thrown: unknown) => thrown)
    expect(failed).toMatchObject({ code: 'unauthorised' })
    await expect(client.ready).rejects.toMatchObject({ code: 'unauthorised' })
    expect(await client.closed).not.toContain('token-0123456789')
    expect(host.connections).toEqual([])
  })

  test('another protocol version is refused with both numbers', async () => {
    const host = await start()
    const socket = await host.open()
    const next = framesOf(socket)
    sendJson(socket, { hello: { ...HELLO.hello, protocol: 999 } })
    expect(await next()).toMatchObject({
      id: 0,
      error: { code: 'version-mismatch', message: expect.stringMatching(/protocol 2 .* 999/) },
    })
    await closing(socket)
  })

  test('a request before the hello is refused and ends the connection', async () => {
    const host = await start()
    const socket = await host.open()
    const next = framesOf(socket)
    sendJson(socket, { id: 1, command: 'host/info', params: {} })
    expect(await next()).toMatchObject({ id: 0, error: { code: 'unauthorised' } })
    await closing(socket)
    expect(host.connections).toEqual([])
  })

  test('who says no hello for 5 seconds is refused', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const host = await start()
    const socket = await host.open()
    const next = framesOf(socket)
    while (vi.getTimerCount() === 0) await new Promise((resolve) => setImmediate(resolve))
    vi.advanceTimersByTime(4_999)
    expect(vi.getTimerCount()).toBe(1)
    vi.advanceTimersByTime(1)
    expect(await next()).toMatchObject({ id: 0, error: { code: 'unauthorised', message: 'No hello came in time.' } })
    await closing(socket)
  })

  test.each(['not json', '[]', '{"id":-1,"command":"host/info"}', '{"id":1}', 'null', ''])(
    'garbage after the hello (%j) ends the connection',
    async (garbage) => {
      const { socket, next } = await greeted(await start())
      socket.send(garbage)
      expect(await next()).toEqual({ id: 0, error: { code: 'bad-params', message: 'A frame was not a request.' } })
      await closing(socket)
    },
  )

  test('a frame that is too long is refused where it is made, and the connection goes on', async () => {
    const client = await clientOf(await start())
    const call = client.call('secret/set', { name: 'x', value: 'v'.repeat(MAX_FRAME_BYTES) })
    await expect(call).rejects.toMatchObject({ code: 'bad-params' })
    expect(await client.call('host/info', {})).toEqual(HOST_INFO)
  })

  test('an answer that is too long becomes an error, and the connection goes on', async () => {
    const client = await clientOf(
      await start({
        'profile/resolve': () => ({ ...RESOLVED, command: [], envNames: [], rules: [], notices: [], agent: 'a'.repeat(MAX_FRAME_BYTES) }),
      }),
    )
    await expect(client.call('profile/resolve', { cwd: '/', command: ['x'] })).rejects.toMatchObject({
      code: 'bad-params',
    })
    expect(await client.call('host/info', {})).toEqual(HOST_INFO)
  })

  test('an event that is too long is the publisher’s fault, and takes no sequence number', async () => {
    const { hub } = await start()
    hub.subscribe({ sendFrame: () => {}, onClose: () => {} })
    expect(() => hub.publish('alarm/raised', alarm('x'.repeat(MAX_FRAME_BYTES)))).toThrow('too long')
    expect(JSON.parse(hub.frameOf('alarm/raised', alarm('y')))).toMatchObject({ sequence: 1 })
  })

  test('1,000 calls at once each get their own answer, and are taken up in order', async () => {
    const order: string[] = []
    const client = await clientOf(
      await start({
        'profile/resolve': async ({ cwd }) => {
          order.push(cwd)
          if (Number(cwd) % 2 === 0) await new Promise((resolve) => setImmediate(resolve))
          return { ...RESOLVED, command: [], envNames: [], rules: [], notices: [], agent: cwd }
        },
      }),
    )
    const names = Array.from({ length: 1_000 }, (_, index) => String(index))
    const results = await Promise.all(names.map((cwd) => client.call('profile/resolve', { cwd, command: ['x'] })))
    expect(results.map(({ agent }) => agent)).toEqual(names)
    expect(order).toEqual(names)
  })

  test('a host that closes during a call rejects it, and every later one', async () => {
    const entered = Promise.withResolvers<void>()
    const host = await start({
      'host/stop': () => {
        entered.resolve()
        return new Promise(() => undefined)
      },
    })
    const client = await clientOf(host)
    const failed = client.call('host/stop', {}).catch((thrown: unknown) => thrown)
    await entered.promise
    await host.close()
    hosts.splice(0)
    expect(await failed).toMatchObject({ code: 'no-host' })
    expect(await client.closed).toContain('ended')
    await expect(client.call('host/info', {})).rejects.toMatchObject({ code: 'no-host' })
  })

  test('a subscriber gets every event in the order of its sequence numbers, another client none', async () => {
    const host = await start()
    const [subscriber, other] = [await clientOf(host), await clientOf(host)]
    const seen: [number, string][] = []
    const done = Promise.withResolvers<void>()
    other.on('alarm/raised', () => done.reject(new Error('not subscribed')))
    subscriber.on('alarm/raised', ({ message }, sequence) => {
      seen.push([sequence, message])
      if (message === '499') done.resolve()
    })
    host.hub.frameOf('alarm/raised', alarm('before'))
    expect(await subscriber.call('event/subscribe', {})).toEqual({ sequence: 1 })
    await subscriber.call('event/subscribe', {})
    for (let index = 0; index < 500; index += 1) host.hub.publish('alarm/raised', alarm(String(index)))
    await other.call('host/info', {})
    await done.promise
    expect(seen).toEqual(Array.from({ length: 500 }, (_, index) => [index + 2, String(index)]))
  })

  test('an event sent to one connection reaches it, and a listener taken away hears nothing', async () => {
    const host = await start()
    const client = await clientOf(host)
    const heard: string[] = []
    const first = Promise.withResolvers<void>()
    const stop = client.on('alarm/raised', ({ message }) => {
      heard.push(message)
      first.resolve()
    })
    await client.call('host/info', {})
    host.connections[0]?.send('alarm/raised', alarm('one'))
    await first.promise
    stop()
    host.connections[0]?.send('alarm/raised', alarm('two'))
    await client.call('host/info', {})
    expect(heard).toEqual(['one'])
  })

  test('a subscriber that does not read is dropped, and the others are not held up', async () => {
    const host = await start()
    const slow = await host.open()
    sendJson(slow, HELLO)
    sendJson(slow, { id: 1, command: 'host/info', params: {} })
    await vi.waitUntil(() => host.connections.length === 1, { interval: 1 })
    const [connection] = host.connections
    const dropped = new Promise<void>((resolve) => connection?.onClose(resolve))
    host.hub.subscribe(connection!)
    const large = 'x'.repeat(4 * 1024 * 1024)
    for (let sent = 0; sent <= MAX_BUFFERED_BYTES + 2 * large.length; sent += large.length)
      host.hub.publish('alarm/raised', alarm(large))
    await dropped
    const client = await clientOf(host)
    await client.call('event/subscribe', {})
    const heard = new Promise<string>((resolve) => client.on('alarm/raised', ({ message }) => resolve(message)))
    host.hub.publish('alarm/raised', alarm('still here'))
    expect(await heard).toBe('still here')
  })

  test('a connection tells when everything sent was taken', async () => {
    const host = await start()
    const client = await clientOf(host)
    await client.call('host/info', {})
    const [connection] = host.connections
    const drained = new Promise<void>((resolve) => connection?.onDrain(resolve))
    for (let sent = 0; sent < 3; sent += 1) connection?.send('alarm/raised', alarm('x'.repeat(7 * 1024 * 1024)))
    expect(connection?.bufferedBytes).toBeGreaterThan(0)
    await drained
    expect(connection?.bufferedBytes).toBe(0)
  })

  test('what was sent before a connection is closed still arrives', async () => {
    const host = await start()
    const client = await clientOf(host)
    const heard = new Promise<string>((resolve) => client.on('alarm/raised', ({ message }) => resolve(message)))
    await client.call('host/info', {})
    host.connections[0]?.send('alarm/raised', alarm('last words'))
    host.connections[0]?.close()
    expect(await heard).toBe('last words')
    await client.closed
  })

  test('every command of the contract is dispatched by its own name', async () => {
    const commands: CommandName[] = ['session/list', 'approval/list', 'ledger/verify', 'secret/list']
    const client = await clientOf(await start())
    for (const command of commands)
      await expect(client.call(command, {})).rejects.toMatchObject({ code: 'unsupported' })
  })
})
