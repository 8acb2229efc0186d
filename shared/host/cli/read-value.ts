import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { HoldfastError } from '../../contract/errors.ts'
import { readAll } from './read-input.ts'

const MAX_VALUE_BYTES = 65_536

/** Asks without showing what is typed. */
const askHidden = (question: string): Promise<string> =>
  new Promise((resolve, reject) => {
    process.stderr.write(question)
    const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
    const lines = createInterface({ input: process.stdin, output: silent, terminal: true })
    lines.once('SIGINT', () => {
      lines.close()
      reject(new HoldfastError('bad-params', 'Nothing was changed.'))
    })
    lines.question('', (value) => {
      lines.close()
      process.stderr.write('\n')
      resolve(value)
    })
  })

/** A secret from the terminal, unseen, or from standard input. Throws HoldfastError `bad-params` when there is none. */
export const readValue = async (question: string): Promise<string> => {
  const value = process.stdin.isTTY ? await askHidden(question) : (await readAll(MAX_VALUE_BYTES)).replace(/\r?\n$/, '')
  if (value === '') throw new HoldfastError('bad-params', 'The value is empty; nothing was changed.')
  return value
}
