import { createEventSplitter, dataText } from '../../shared/core/gateway/event-stream.ts'

/** The JSON of a stream's events, however its bytes are cut; what is no JSON is left out. */
export const jsonOf = (chunks: readonly Uint8Array[]): unknown[] => {
  const splitter = createEventSplitter(16 * 1024 * 1024)
  return chunks.flatMap((chunk) => splitter.push(Buffer.from(chunk))).flatMap((event) => {
    try {
      return [JSON.parse(dataText(event) ?? '') as unknown]
    } catch {
      return []
    }
  })
}

/** Bytes in pieces of these sizes, in turn; whole without any. */
export const cut = (bytes: Buffer, sizes: readonly number[]): Buffer[] => {
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length; at += pieces.at(-1)?.length ?? 0) pieces.push(bytes.subarray(at, at + (sizes[pieces.length % Math.max(1, sizes.length)] ?? bytes.length)))
  return pieces
}
