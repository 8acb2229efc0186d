import type { IncomingMessage } from 'node:http'

/** Above the API's own limit of 32 MB. */
export const MAX_BODY_BYTES = 64 * 1024 * 1024

/** The whole body; null when it is too large, the rest left unread. Rejects when the sender breaks off. */
export const readBody = (request: IncomingMessage): Promise<Buffer | null> =>
  new Promise((resolve, reject) => {
    const announced = Number(request.headers['content-length'] ?? Infinity)
    if (announced !== Infinity && announced > MAX_BODY_BYTES) {
      resolve(null)
      return
    }
    const chunks: Buffer[] = []
    let size = 0
    const finish = (): void => resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks))
    const take = (chunk: Buffer): void => {
      size += chunk.length
      chunks.push(chunk)
      if (size > MAX_BODY_BYTES) {
        // The connection stays, so that the refusal can be answered on it.
        request.off('data', take).pause()
        resolve(null)
      } else if (size === announced) finish()
    }
    request
      .on('data', take)
      .once('end', finish)
      .once('error', reject)
      .once('close', () => reject(new Error('the request broke off')))
  })
