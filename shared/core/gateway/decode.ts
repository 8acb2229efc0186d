import { PassThrough, Readable, type Transform } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib'

const DECODERS: Readonly<Record<string, () => Transform>> = {
  identity: () => new PassThrough(),
  gzip: createGunzip,
  br: createBrotliDecompress,
  deflate: createInflate,
  zstd: createZstdDecompress,
}

/** A decoder for a content coding (RFC 9110 §8.4.1), or null for one that is not known. */
export const createDecoder = (coding: string): Transform | null => (Object.hasOwn(DECODERS, coding) ? (DECODERS[coding]?.() ?? null) : null)

/** The bytes that were meant, where the provider compressed although it was asked not to. Throws on an unknown coding. */
export const decoded = (chunks: AsyncIterable<Buffer>, coding: unknown): AsyncIterable<Buffer> => {
  if (coding === undefined || coding === 'identity') return chunks
  const decoder = createDecoder(String(coding))
  if (decoder === null) throw new Error(`the provider answered in a coding that is not known: ${String(coding).slice(0, 100)}`)
  const source = Readable.from(chunks)
  source.once('error', (error) => decoder.destroy(error))
  return source.pipe(decoder)
}
