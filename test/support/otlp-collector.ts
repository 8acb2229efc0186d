import { once } from 'node:events'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'

interface ProtoType {
  encode(message: object): { finish(): Uint8Array }
  decode(bytes: Uint8Array): object
  toObject(message: object, options: object): Record<string, unknown>
}
type Package = { [name: string]: Package } & { [name: string]: ProtoType }

/** Compiled by the OpenTelemetry project from its own .proto files; later releases no longer carry it. */
const root = createRequire(import.meta.url)('@opentelemetry/otlp-transformer/build/src/generated/root.js') as Package
const collector = root['opentelemetry']?.['proto']?.['collector'] as unknown as Record<string, Record<string, Record<string, ProtoType>>>
const TYPES: Record<string, ProtoType | undefined> = {
  '/v1/logs': collector['logs']?.['v1']?.['ExportLogsServiceRequest'],
  '/v1/traces': collector['trace']?.['v1']?.['ExportTraceServiceRequest'],
  '/v1/metrics': collector['metrics']?.['v1']?.['ExportMetricsServiceRequest'],
}

/** By the official schema. Throws for what does not fit it, and for any field that it does not know. */
const decode = (path: string, bytes: Buffer): Record<string, never> => {
  const type = TYPES[path]
  if (type === undefined) throw new Error(`no such signal: ${path}`)
  const message = type.decode(bytes)
  if (type.encode(message).finish().length !== bytes.length) throw new Error(`${path} holds what the schema does not know`)
  const told = type.toObject(message, { longs: String, bytes: String, enums: String })
  return JSON.parse(JSON.stringify(told, (key, value: unknown) => (/(trace|span)Id$/i.test(key) ? Buffer.from(String(value), 'base64').toString('hex') : value))) as Record<string, never>
}

export interface Taken {
  readonly path: string
  readonly body: Record<string, never>
  readonly headers: Readonly<Record<string, unknown>>
}

/** A collector that records what it takes, checked against the official schema; `state` says how it answers. */
export const startCollector = async (port = 0) => {
  const taken: Taken[] = []
  const problems: unknown[] = []
  const state = { status: 200, answer: Buffer.alloc(0) }
  let waiting: (() => void)[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    try {
      const path = request.url ?? ''
      if (state.status === 200) taken.push({ path, body: decode(path, Buffer.concat(chunks)), headers: request.headers })
    } catch (error) {
      problems.push(error)
      state.status = 400
    }
    for (const look of waiting.splice(0)) look()
    response.writeHead(state.status, { 'content-type': 'application/x-protobuf' }).end(state.answer)
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const close = () => new Promise((resolve) => server.close(resolve).closeAllConnections())
  /** Resolves when this holds, looked at with each request. */
  const until = async (holds: () => boolean): Promise<void> => {
    while (!holds()) await new Promise<void>((resolve) => (waiting = [...waiting, resolve]))
  }
  /** The sequences of all entries that came as logs, as they came. */
  const sequences = (): number[] =>
    taken
      .filter(({ path }) => path === '/v1/logs')
      .flatMap(({ body }) => [...JSON.stringify(body).matchAll(/"holdfast\.ledger\.sequence","value":\{"intValue":"(\d+)"/g)].map(([, digits]) => Number(digits)))
  return { taken, problems, state, close, until, sequences, port: (server.address() as AddressInfo).port }
}
export type Collector = Awaited<ReturnType<typeof startCollector>>
