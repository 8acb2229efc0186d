import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { EventStreamCodec } from '@smithy/core/event-streams'
import { type Script, startStandInModel } from '../../shared/core/demo/stand-in-model.ts'
import { jsonOf } from './stream.ts'

/** AWS's own encoder. */
const codec = new EventStreamCodec((bytes) => (typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString('utf8')), (text) => Buffer.from(text, 'utf8'))

export const bedrockFrame = (json: unknown): Buffer =>
  Buffer.from(
    codec.encode({
      headers: { ':event-type': { type: 'string', value: 'chunk' }, ':content-type': { type: 'string', value: 'application/json' }, ':message-type': { type: 'string', value: 'event' } },
      body: Buffer.from(JSON.stringify({ bytes: Buffer.from(JSON.stringify(json)).toString('base64'), p: 'abcdefghijkl' })),
    }),
  )

export interface BedrockRequest {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  /** The bytes that were answered. */
  readonly answer: Buffer
}

/** A script that answers as Bedrock does, on 127.0.0.1; in its answers a model has Anthropic's own name. */
export const startBedrock = async (script: Script) => {
  const model = await startStandInModel({ script })
  const requests: BedrockRequest[] = []
  const server = createServer((request, response) => {
    void (async () => {
      const body = await buffer(request)
      const path = request.url ?? ''
      const [, id = '', action = ''] = /^\/model\/([^/]+)\/(invoke|invoke-with-response-stream)$/.exec(path) ?? []
      const streams = action === 'invoke-with-response-stream'
      const asked = action === '' ? {} : (JSON.parse(body.toString()) as object)
      const inner = await fetch(`${model.baseUrl}/v1/messages`, { method: 'POST', body: JSON.stringify({ ...asked, model: decodeURIComponent(id).replace(/^.*anthropic\./, ''), stream: streams }) })
      const bytes = Buffer.from(await inner.arrayBuffer())
      const isStream = streams && inner.ok
      const answer = isStream ? Buffer.concat(jsonOf([bytes]).map(bedrockFrame)) : bytes
      requests.push({ path, headers: request.headers, body, answer })
      response.writeHead(inner.status, { 'content-type': isStream ? 'application/vnd.amazon.eventstream' : 'application/json' }).end(answer)
    })().catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close: async () => {
      server.close()
      server.closeAllConnections()
      await model.close()
    },
  }
}
