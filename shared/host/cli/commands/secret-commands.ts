import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import type { Command } from 'commander'
import { HoldfastError } from '../../../contract/errors.ts'
import { formatDuration } from '../../../domain/format.ts'
import { table } from '../output.ts'
import { outputOf } from '../program-output.ts'
import { withHost } from '../with-host.ts'

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

const readAll = async (): Promise<string> => {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAX_VALUE_BYTES) throw new HoldfastError('bad-params', `A secret is at most ${MAX_VALUE_BYTES} bytes.`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8').replace(/\r?\n$/, '')
}

/** `secret set|list|remove`. A value comes from a prompt or standard input, never as an argument, and never out again. */
export const addSecretCommands = (program: Command): void => {
  const secret = program.command('secret').summary('keys that agents use and never see').description('Keeps keys in the keychain of this machine. An agent profile names them; agents never see them.')

  secret
    .command('set')
    .summary('keep a value, from a prompt or from standard input')
    .argument('<name>', 'such as agent/anthropic')
    .action(async (name: string, _options: unknown, self: Command) => {
      const value = process.stdin.isTTY ? await askHidden(`Value of ${name} (not shown): `) : await readAll()
      if (value === '') throw new HoldfastError('bad-params', 'The value is empty; nothing was changed.')
      await withHost((client) => client.call('secret/set', { name, value }))
      outputOf(self).result({ name }, [`${name} is kept in the keychain.`])
    })

  secret
    .command('list')
    .summary('names and ages, no values')
    .action(async (_options: unknown, self: Command) => {
      const { secrets } = await withHost((client) => client.call('secret/list', {}))
      const now = Date.now()
      const lines = secrets.length === 0 ? ['No secrets are kept. Keep one with: holdfast secret set agent/anthropic'] : table([['NAME', 'AGE'], ...secrets.map(({ name, createdAt }) => [name, formatDuration(now - createdAt)])])
      outputOf(self).result({ secrets }, lines)
    })

  secret
    .command('remove')
    .summary('forget a value')
    .argument('<name>', 'the secret')
    .action(async (name: string, _options: unknown, self: Command) => {
      await withHost((client) => client.call('secret/remove', { name }))
      outputOf(self).result({ name }, [`${name} is removed.`])
    })
}
