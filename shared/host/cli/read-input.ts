import { HoldfastError } from '../../contract/errors.ts'

/** Says what a command waits for when a person started it without giving it anything to read. */
export const noteReading = (what: string): void => {
  if (process.stdin.isTTY) process.stderr.write(`holdfast: reading ${what} from the terminal; end with Ctrl-D\n`)
}

/** All of standard input as text. Throws HoldfastError `bad-params` when it is longer than `maxBytes`. */
export const readAll = async (maxBytes: number): Promise<string> => {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maxBytes) throw new HoldfastError('bad-params', `Standard input is longer than ${maxBytes} bytes, which is the most that is read here.`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
