import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import type { Command } from 'commander'
import { HoldfastError } from '../../../contract/errors.ts'
import { formatDuration } from '../../../domain/format.ts'
import { table } from '../output.ts'
import { examples, outputOf } from '../program-output.ts'
import { readAll } from '../read-input.ts'
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

/** From the terminal, unseen, or from standard input. */
const readValue = async (question: string): Promise<string> => {
  const value = process.stdin.isTTY ? await askHidden(question) : (await readAll(MAX_VALUE_BYTES)).replace(/\r?\n$/, '')
  if (value === '') throw new HoldfastError('bad-params', 'The value is empty; nothing was changed.')
  return value
}

/** `secret set|rotate|list|remove`. A value comes from a prompt or standard input, never as an argument, and never out again. */
export const addSecretCommands = (program: Command): void => {
  const secret = program.command('secret').summary('keys that agents use and never see').description('Keeps keys in the keychain of this machine. An agent profile names them; agents never see them.').addHelpText('after', examples('holdfast secret set agent/anthropic', 'holdfast secret list'))

  secret
    .command('set')
    .summary('keep a value, from a prompt or from standard input')
    .argument('<name>', 'such as agent/anthropic')
    .addHelpText('after', examples('holdfast secret set agent/anthropic', 'holdfast secret set agent/github-pat <token.txt'))
    .action(async (name: string, _options: unknown, self: Command) => {
      const value = await readValue(`Value of ${name} (not shown): `)
      await withHost((client) => client.call('secret/set', { name, value }))
      outputOf(self).result({ name }, [`${name} is kept in the keychain.`])
    })

  secret
    .command('rotate')
    .summary('replace a value; running MCP servers that use it start anew')
    .argument('<name>', 'a secret that is kept')
    .addHelpText('after', examples('holdfast secret rotate agent/github-pat', 'holdfast secret rotate agent/github-pat <token.txt'))
    .action(async (name: string, _options: unknown, self: Command) => {
      const { secrets } = await withHost((client) => client.call('secret/list', {}))
      if (!secrets.some((kept) => kept.name === name)) throw new HoldfastError('not-found', `No secret ${name} is kept. Keep it with: holdfast secret set ${name}`)
      const value = await readValue(`New value of ${name} (not shown): `)
      await withHost((client) => client.call('secret/set', { name, value }))
      outputOf(self).result({ name }, [`${name} has its new value, and the MCP servers that use it start anew with it.`])
    })

  secret
    .command('list')
    .summary('names and ages, no values')
    .addHelpText('after', examples('holdfast secret list', 'holdfast secret list --json'))
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
    .addHelpText('after', examples('holdfast secret remove agent/github-pat'))
    .action(async (name: string, _options: unknown, self: Command) => {
      await withHost((client) => client.call('secret/remove', { name }))
      outputOf(self).result({ name }, [`${name} is removed.`])
    })
}
