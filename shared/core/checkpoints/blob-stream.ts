/** What to do with one object of a `git cat-file --batch` answer. */
export interface BlobSink {
  write(chunk: Buffer): void
  end(): void
}

/**
 * Cuts the output of `git cat-file --batch` into its objects, however the chunks fall, and feeds each to the sink opened
 * for it, in order. Nothing is held in memory but a header. `open` gets the position among the objects asked for;
 * `missing` is called instead for an object that is not there.
 */
export const createBlobStream = (open: (position: number) => BlobSink, missing: (position: number) => never) => {
  let position = 0
  let header = ''
  let sink: BlobSink | null = null
  let left = 0

  return (chunk: Buffer): void => {
    let at = 0
    while (at < chunk.length) {
      if (sink === null) {
        const end = chunk.indexOf(0x0a, at)
        header += chunk.toString('latin1', at, end === -1 ? chunk.length : end)
        if (end === -1) return
        at = end + 1
        const size = / blob (\d+)$/.exec(header)?.[1]
        header = ''
        if (size === undefined) missing(position)
        sink = open(position)
        left = Number(size)
      }
      const part = chunk.subarray(at, at + left)
      if (part.length > 0) sink.write(part)
      left -= part.length
      at += part.length
      if (left > 0 || at >= chunk.length) continue
      // The line end that follows the object.
      at += 1
      sink.end()
      sink = null
      position += 1
    }
  }
}
