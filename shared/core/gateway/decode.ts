import { pipeline, type Readable, type Transform } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib'

const DECODERS: Readonly<Record<string, () => Transform>> = {
  gzip: createGunzip,
  br: createBrotliDecompress,
  deflate: createInflate,
  zstd: createZstdDecompress,
}

/**
 * The bytes that were meant, where the provider compressed although it was asked not to. Throws on a content coding
 * (RFC 9110 §8.4.1) that is not known.
 */
export const decoded = (answer: Readable, coding: unknown): Readable => {
  if (coding === undefined || coding === 'identity') return answer
  const decoder = typeof coding === 'string' && Object.hasOwn(DECODERS, coding) ? DECODERS[coding]?.() : undefined
  if (decoder === undefined) throw new Error(`the provider answered in a coding that is not known: ${String(coding).slice(0, 100)}`)
  return pipeline(answer, decoder, () => undefined)
}
