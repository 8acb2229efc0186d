import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer as createHttp } from 'node:http'
import { createSecureServer, type Http2Server, type ServerHttp2Stream } from 'node:http2'
import { createServer as createHttps } from 'node:https'
import { type AddressInfo, connect, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { expect, test } from 'vitest'
import { messagesBody, postMessages, startGateway } from './gateway-fixture.ts'
import { closing, KEY, STREAM, wire } from './gateway-harness.ts'

const PROVIDER = 'model.example.test'

/** A certificate for the stand-in provider, trusted from now on. */
const createCertificate = (): { key: Buffer; cert: Buffer } => {
  const folder = mkdtempSync(join(tmpdir(), 'hf-cert-'))
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key, '-out', cert, '-days', '2', '-subj', `/CN=${PROVIDER}`, '-addext', `subjectAltName=DNS:${PROVIDER},DNS:localhost`], { stdio: 'ignore' })
  const pair = { key: readFileSync(key), cert: readFileSync(cert) }
  rmSync(folder, { recursive: true })
  setDefaultCACertificates([...getCACertificates(), pair.cert.toString('utf8')])
  return pair
}
const CERTIFICATE = createCertificate()

const listen = async (server: Server | Http2Server): Promise<number> => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

const startProvider = async (): Promise<{ port: number; requests: { url: string | undefined; key: unknown }[] }> => {
  const requests: { url: string | undefined; key: unknown }[] = []
  const server = createHttps(CERTIFICATE, (request, response) => {
    requests.push({ url: request.url, key: request.headers['x-api-key'] })
    request.resume()
    response.setHeader('content-type', 'text/event-stream')
    response.end(wire(STREAM))
  })
  closing({ close: () => (server.close(), server.closeAllConnections()) })
  return { port: await listen(server), requests }
}

/** A proxy that leads every host to the stand-in provider. */
const startProxy = async (providerPort: number): Promise<{ url: string; asked: string[] }> => {
  const asked: string[] = []
  const server = createHttp((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    response.writeHead(500).end()
  })
  server.on('connect', (request, socket) => {
    asked.push(`CONNECT ${request.url} ${JSON.stringify(request.headers)}`)
    const upstream = connect(providerPort, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      socket.pipe(upstream).pipe(socket)
    })
    for (const side of [socket, upstream]) side.on('error', () => undefined)
  })
  closing({ close: () => (server.close(), server.closeAllConnections()) })
  return { url: `http://127.0.0.1:${await listen(server)}`, asked }
}

test('the provider is reached through the proxy of the user’s network, which sees its name and not the key', async () => {
  const provider = await startProvider()
  const proxy = await startProxy(provider.port)
  const gateway = closing(await startGateway({ upstreamBaseUrl: `https://${PROVIDER}`, environment: { HTTPS_PROXY: proxy.url } }))
  const answer = await postMessages(gateway.baseUrl, messagesBody())
  expect(Buffer.from(await answer.arrayBuffer())).toEqual(wire(STREAM))
  expect(provider.requests).toEqual([{ url: '/v1/messages?beta=true', key: KEY }])
  expect(proxy.asked).toHaveLength(1)
  expect(proxy.asked[0]).toContain(`CONNECT ${PROVIDER}:443`)
  expect(proxy.asked[0]).not.toContain(KEY)
})

test('a host that the user keeps out of the proxy, and this machine, are reached directly', async () => {
  const provider = await startProvider()
  const proxy = await startProxy(provider.port)
  const named = closing(await startGateway({ upstreamBaseUrl: `https://${PROVIDER}`, environment: { https_proxy: proxy.url, NO_PROXY: `other.example, ${PROVIDER}` } }))
  const refused = await postMessages(named.baseUrl, messagesBody())
  // No name server knows the name.
  expect([refused.status, await refused.text()]).toEqual([502, expect.stringContaining('The model provider cannot be reached (E')])
  const local = closing(await startGateway({ upstreamBaseUrl: `https://localhost:${provider.port}`, environment: { HTTPS_PROXY: proxy.url, HTTP_PROXY: proxy.url } }))
  expect((await postMessages(local.baseUrl, messagesBody())).status).toBe(200)
  expect(proxy.asked).toEqual([])
})

test('a proxy that refuses is answered 502, without its address', async () => {
  const gone = await startProxy(0)
  const gateway = closing(await startGateway({ upstreamBaseUrl: `https://${PROVIDER}`, environment: { HTTPS_PROXY: gone.url.replace('http://', 'http://user:secret@').replace(/\d+$/, '9') } }))
  const answer = await postMessages(gateway.baseUrl, messagesBody())
  expect([answer.status, await answer.text()]).toEqual([502, expect.not.stringContaining('secret')])
})

/** A provider that speaks HTTP/2 alone. */
const startHttp2 = async (answer: (stream: ServerHttp2Stream) => void) => {
  const seen: { path: string | undefined; key: unknown; body: string }[] = []
  let sessions = 0
  const server = createSecureServer(CERTIFICATE)
  server.on('session', () => (sessions += 1))
  server.on('stream', (stream, headers) => {
    let body = ''
    stream.on('error', () => undefined)
    stream.on('data', (chunk: Buffer) => (body += chunk.toString('utf8')))
    stream.on('end', () => {
      seen.push({ path: headers[':path'], key: headers['x-api-key'], body })
      answer(stream)
    })
  })
  closing({ close: () => server.close() })
  return { baseUrl: `https://localhost:${await listen(server)}/api`, seen, sessions: () => sessions }
}

test('a provider that speaks HTTP/2 alone is spoken to in it, on one connection: bytes, usage, errors and key as ever', async () => {
  let isFull = false
  const provider = await startHttp2((stream) => {
    stream.respond({ ':status': isFull ? 529 : 200, 'content-type': isFull ? 'application/json' : 'text/event-stream' })
    stream.end(isFull ? '{"type":"error"}' : wire(STREAM))
  })
  const gateway = closing(await startGateway({ upstreamBaseUrl: provider.baseUrl }))
  const first = await postMessages(gateway.baseUrl, messagesBody())
  expect(Buffer.from(await first.arrayBuffer())).toEqual(wire(STREAM))
  const more = await Promise.all([1, 2, 3].map(() => postMessages(gateway.baseUrl, messagesBody()).then((answer) => answer.arrayBuffer())))
  expect(more.map((bytes) => bytes.byteLength)).toEqual([1, 2, 3].map(() => wire(STREAM).length))
  isFull = true
  const last = await postMessages(gateway.baseUrl, messagesBody())
  expect([last.status, await last.text()]).toEqual([529, '{"type":"error"}'])
  await gateway.settled()
  expect(provider.seen).toHaveLength(5)
  expect(provider.seen.every(({ path, key, body }) => path === '/api/v1/messages?beta=true' && key === KEY && body === messagesBody())).toBe(true)
  expect(provider.sessions()).toBe(1)
  expect(gateway.meter.usage()).toMatchObject({ requests: 1, tokens: { input: 9, output: 7 } })
})

test('over HTTP/2 too, an answer that breaks off never ends as a whole one, and an agent that goes ends it', async () => {
  const ended = Promise.withResolvers<void>()
  let breaksOff: 'by a reset' | 'by its connection' | null = 'by a reset'
  const provider = await startHttp2((stream) => {
    stream.respond({ ':status': 200, 'content-type': 'text/event-stream' })
    stream.write(wire(STREAM.slice(0, 2)), () => {
      if (breaksOff === 'by a reset') stream.destroy(new Error('broken'))
      if (breaksOff === 'by its connection') stream.session?.destroy()
    })
    stream.on('close', () => {
      if (breaksOff === null) ended.resolve()
    })
  })
  const gateway = closing(await startGateway({ upstreamBaseUrl: provider.baseUrl }))
  for (breaksOff of ['by a reset', 'by its connection'] as const) {
    const broken = await postMessages(gateway.baseUrl, messagesBody())
    await expect(broken.text(), breaksOff).rejects.toThrow(/terminated|fetch failed/)
  }
  breaksOff = null
  const abort = new AbortController()
  const left = await postMessages(gateway.baseUrl, messagesBody(), { signal: abort.signal })
  await left.body?.getReader().read()
  abort.abort()
  await ended.promise
  await gateway.settled()
  expect(gateway.entries.filter(({ kind }) => kind === 'model-request/outcome').map(({ body }) => body['ended'])).toEqual(['cut', 'cut', 'cut'])
})

test.each([['CANCEL', 8], ['NO_ERROR', 0], ['REFUSED_STREAM', 7]])('over HTTP/2 too, a request that is reset with %s before its answer fails, and the next one passes', async (_name, code) => {
  let resets = true
  const provider = await startHttp2((stream) => {
    if (resets) return stream.close(code)
    stream.respond({ ':status': 200, 'content-type': 'text/event-stream' })
    stream.end(wire(STREAM))
  })
  const gateway = closing(await startGateway({ upstreamBaseUrl: provider.baseUrl }))
  expect((await postMessages(gateway.baseUrl, messagesBody(), { signal: AbortSignal.timeout(20_000) })).status).toBe(502)
  resets = false
  expect(Buffer.from(await (await postMessages(gateway.baseUrl, messagesBody())).arrayBuffer())).toEqual(wire(STREAM))
})
