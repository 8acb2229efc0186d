import { readFile, realpath, stat } from 'node:fs/promises'
import type { Command } from 'commander'
import { HoldfastError } from '../../../contract/errors.ts'
import type { SecretDetails, SecretInfo } from '../../../contract/schemas/secret.ts'
import { applyMends } from '../../../core/audit/mend.ts'
import { resolvePaths } from '../../../core/paths.ts'
import { moveSecrets } from '../../../domain/audit/move-secrets.ts'
import { formatDuration } from '../../../domain/format.ts'
import { secretState, secretStateText } from '../../../domain/secret-state.ts'
import { visibleText } from '../../../domain/visible-text.ts'
import { confirm } from '../confirm.ts'
import { openBrowser } from '../open-browser.ts'
import { table } from '../output.ts'
import { examples, outputOf } from '../program-output.ts'
import { readValue } from '../read-value.ts'
import { mendDeps } from '../mend-deps.ts'
import { withHost } from '../with-host.ts'
import { addSecretRecipes } from './secret-recipes.ts'

interface DetailOptions {
  readonly expires?: string
  readonly owner?: string
  readonly scope?: string
}

/** A day, a time, or how long from now. Throws HoldfastError `bad-params`. */
const parseExpiry = (text: string): number => {
  const days = /^(\d{1,4})d$/.exec(text)
  const time = days === null ? Date.parse(text) : Date.now() + Number(days[1]) * 86_400_000
  if (Number.isNaN(time) || time <= Date.now()) throw new HoldfastError('bad-params', `"${text.slice(0, 100)}" is no time to come. Write 2027-01-31, or how long from now: 90d.`)
  return time
}

const detailsOf = ({ expires, owner, scope }: DetailOptions): SecretDetails => ({
  ...(expires === undefined ? {} : { expiresAt: parseExpiry(expires) }),
  ...(owner === undefined ? {} : { owner }),
  ...(scope === undefined ? {} : { scope }),
})

const withDetails = (command: Command): Command =>
  command
    .option('--expires <time>', 'when it ends: 2027-01-31, or 90d from now; then it is given to nobody')
    .option('--owner <who>', 'whose account it opens')
    .option('--scope <words>', 'how far it goes')

const listLines = (secrets: readonly SecretInfo[], now: number): string[] =>
  secrets.length === 0 ? ['No secrets are kept. Keep one with: holdfast secret set agent/anthropic'] : table([
    ['NAME', 'AGE', 'STATE', 'LAST USED', 'OWNER', 'SCOPE'],
    ...secrets.map((secret) => [
      secret.name,
      formatDuration(now - secret.createdAt),
      secretStateText(secret, now),
      secret.usedAt === undefined ? 'never' : `${formatDuration(now - secret.usedAt)} ago by ${secret.usedBy ?? 'an agent'}`,
      visibleText(secret.owner ?? '-'),
      visibleText(secret.scope ?? '-'),
    ]),
  ])

/** `secret add|set|rotate|list|move|remove`. A value comes from a prompt or standard input, never as an argument, and never out again. */
export const addSecretCommands = (program: Command): void => {
  const secret = program.command('secret').summary('keys that agents use and never see').description('Keeps keys in the keychain of this machine. An agent profile names them; agents never see them.').addHelpText('after', examples('holdfast secret set agent/anthropic', 'holdfast secret list'))

  addSecretRecipes(secret)

  withDetails(secret.command('set'))
    .summary('keep a value, from a prompt or from standard input')
    .argument('<name>', 'such as agent/anthropic')
    .addHelpText('after', examples('holdfast secret set agent/anthropic', 'holdfast secret set agent/github-pat --expires 90d --owner acme-bot <token.txt'))
    .action(async (name: string, options: DetailOptions, self: Command) => {
      const details = detailsOf(options)
      const value = await readValue(`Value of ${name} (not shown): `)
      await withHost((client) => client.call('secret/set', { name, value, details }))
      outputOf(self).result({ name }, [`${name} is kept in the keychain.`])
    })

  withDetails(secret.command('rotate'))
    .summary('replace a value; running MCP servers that use it start anew')
    .argument('<name>', 'a secret that is kept')
    .addHelpText('after', examples('holdfast secret rotate agent/github-pat', 'holdfast secret rotate agent/github-pat <token.txt'))
    .action(async (name: string, options: DetailOptions, self: Command) => {
      const details = detailsOf(options)
      const { secrets } = await withHost((client) => client.call('secret/list', {}))
      if (!secrets.some((kept) => kept.name === name)) throw new HoldfastError('not-found', `No secret ${name} is kept. Keep it with: holdfast secret set ${name}`)
      const value = await readValue(`New value of ${name} (not shown): `)
      await withHost((client) => client.call('secret/set', { name, value, details }))
      outputOf(self).result({ name }, [`${name} has its new value, and the MCP servers that use it start anew with it.`])
    })

  withDetails(secret.command('login'))
    .summary('sign in at an MCP server over HTTP; its token is kept, and kept fresh')
    .argument('<name>', 'such as agent/tracker')
    .argument('<url>', 'the server’s address, as in its settings')
    .option('--client-id <id>', 'of an application that you registered there, where none can be registered on the spot')
    .addHelpText('after', examples('holdfast secret login agent/tracker https://mcp.example.com/mcp'))
    .action(async (name: string, url: string, { clientId, ...options }: DetailOptions & { clientId?: string }, self: Command) => {
      const details = detailsOf(options)
      const show = (page: URL): void => {
        process.stderr.write(`Sign in with a browser of this machine:\n  ${visibleText(page.href)}\n`)
        void openBrowser(page.href)
      }
      // Loaded for this command alone.
      const { signIn } = await import('../../../core/secrets/sign-in.ts')
      const value = await signIn({ url, ...(clientId === undefined ? {} : { clientId }), ...(details.scope === undefined ? {} : { scope: details.scope }), now: Date.now, show })
      await withHost((client) => client.call('secret/set', { name, value, details }))
      outputOf(self).result({ name }, [`Signed in. A server with ${url} uses it by: headers: { Authorization_SECRET: "oauth: ${name}" }`])
    })

  secret
    .command('list')
    .summary('names, ages, owners and what is due; no values')
    .addHelpText('after', examples('holdfast secret list', 'holdfast secret list --json'))
    .action(async (_options: unknown, self: Command) => {
      const { secrets } = await withHost((client) => client.call('secret/list', {}))
      const now = Date.now()
      outputOf(self).result({ secrets: secrets.map((each) => ({ ...each, state: secretState(each, now) })) }, listLines(secrets, now))
    })

  secret
    .command('move')
    .summary('move credentials out of a .mcp.json into the keychain; the file is kept first')
    .argument('[file]', 'the file', '.mcp.json')
    .option('--yes', 'do not ask')
    .addHelpText('after', examples('holdfast secret move', 'holdfast secret move ~/.config/holdfast/mcp.json --yes'))
    .action(async (file: string, { yes }: { yes?: true }, self: Command) => {
      const output = outputOf(self)
      const path = await realpath(file).catch(() => null)
      if (path === null) throw new HoldfastError('not-found', `There is no file ${file}.`)
      const before = await readFile(path)
      const { secrets } = await withHost((client) => client.call('secret/list', {}))
      const { text, moved } = moveSecrets(before.toString('utf8'), secrets.map(({ name }) => name))
      const shown = moved.map(({ server, variable, name }) => `${visibleText(server)}: ${visibleText(variable)} becomes ${visibleText(variable)}_SECRET: ${name}`)
      const told = moved.map(({ server, variable, name }) => ({ server, variable, name }))
      if (moved.length === 0) return output.result({ id: null, moved: told }, [`${file} has no credential in plain text where one can be moved.`])
      if (yes !== true) {
        if (output.json || !process.stdin.isTTY) throw new HoldfastError('bad-params', 'There is no terminal to ask on. To go on without a question, add --yes.')
        process.stdout.write(`${shown.join('\n')}\n\n`)
        if (!(await confirm(`Keep ${moved.length === 1 ? 'it' : `these ${moved.length}`} in the keychain, and change ${file}?`))) return output.result({ id: null, moved: [] }, ['Nothing was changed.'])
      }
      const { mode } = await stat(path)
      const keep = moved.map(({ name, value }) => ({ item: name, value }))
      const id = await applyMends([{ file: path, before, after: Buffer.from(text), mode: mode & 0o777, newMode: mode & 0o777, lines: shown, mended: shown, keep }], mendDeps(resolvePaths(process.env)), Date.now())
      output.result({ id, moved: told }, [...(yes === true ? shown : []), `Put it back with: holdfast audit --undo ${id}`, `What stood in plain text may have been read: make new ones where they were issued.`])
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
