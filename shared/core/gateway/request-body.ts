import type { IncomingMessage } from 'node:http'

/** Above the API's own limit of 32 MB. */
export const MAX_BODY_BYTES = 64 * 1024 * 1024

/** The whole body; null when it is too large, the rest left unread. Rejects when the sender breaks off. */
export const readBody = async (request: IncomingMessage): Promise<Buffer | null> => {
  const chunks: Buffer[] = []
  let size = 0
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) return null
  // The connection stays, so that the refusal can be answered on it.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAX_BODY_BYTES) return null
    chunks.push(chunk)
  }
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)
}
