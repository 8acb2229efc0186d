import { finished } from 'node:stream/promises'
import type { MessageUsageReader } from '../../domain/message-usage.ts'
import { createDecoder } from './decode.ts'

/** Reads along with an answer that is passed on as it is. */
export interface UsageTap {
  push(chunk: Buffer): void
  end(): Promise<void>
}

/**
 * Feeds a reader, through a decoder where the provider compressed although it was asked not to. An unknown coding
 * gives the reader nothing, so that the request counts as unread.
 */
export const createUsageTap = (reader: MessageUsageReader, coding: string | undefined): UsageTap => {
  if (coding === undefined || coding === 'identity') {
    return {
      push: reader.push,
      async end() {
        reader.end()
      },
    }
  }
  const decoder = createDecoder(coding)
  if (decoder === null) return { push() {}, async end() {} }
  decoder.on('data', reader.push)
  const done = finished(decoder).catch(() => {})
  return {
    push: (chunk) => void decoder.write(chunk),
    async end() {
      decoder.end()
      await done
      reader.end()
    },
  }
}
