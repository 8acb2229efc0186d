import type { Command } from 'commander'
import { HoldfastError } from '../../../contract/errors.ts'
import type { SecretDetails } from '../../../contract/schemas/secret.ts'
import { findExecutable, foldersToSearch } from '../../../core/agents/find-executable.ts'
import { githubSteps, githubTokenKind, tryGithubToken } from '../../../core/secrets/recipes/github.ts'
import { readOnlyRoleSql, tryPostgresRole } from '../../../core/secrets/recipes/postgres.ts'
import { visibleText } from '../../../domain/visible-text.ts'
import { confirm } from '../confirm.ts'
import { examples, outputOf } from '../program-output.ts'
import { readValue } from '../read-value.ts'
import { withHost } from '../with-host.ts'

interface Tried {
  readonly details: SecretDetails
  readonly warnings: readonly string[]
}

interface Recipe {
  readonly name: string
  readonly steps: readonly string[]
  readonly ask: string
  /** Said before it is tried: where the one call goes. */
  readonly place: string
  readonly attempt: (value: string) => Promise<Tried>
  /** What is known of it without trying. */
  readonly untried: SecretDetails
}

/** Shows the steps, takes the value, tries it with one read call when that is agreed to, and keeps it with what was learned. */
const follow = async (recipe: Recipe, agreed: boolean, self: Command): Promise<void> => {
  const output = outputOf(self)
  const isTerminal = process.stdin.isTTY === true
  if (isTerminal) process.stderr.write(`${recipe.steps.join('\n')}\n\n`)
  const value = await readValue(recipe.ask)
  const tries = agreed || (isTerminal && (await confirm(`Try it now, with one read call to ${recipe.place}?`)))
  const { details, warnings } = tries ? await recipe.attempt(value) : { details: recipe.untried, warnings: [] }
  if (warnings.length > 0 && isTerminal) {
    process.stderr.write(`${warnings.map((warning) => `! ${visibleText(warning)}`).join('\n')}\n`)
    if (!(await confirm('Keep it all the same?'))) throw new HoldfastError('bad-params', 'Nothing was kept.')
  }
  await withHost((client) => client.call('secret/set', { name: recipe.name, value, details }))
  const known = [details.owner === undefined ? '' : `of ${details.owner}`, details.scope ?? '', details.expiresAt === undefined ? '' : `until ${new Date(details.expiresAt).toISOString().slice(0, 10)}`].filter((part) => part !== '')
  output.result({ name: recipe.name, tried: tries, details, warnings }, [
    `${recipe.name} is kept in the keychain${known.length === 0 ? '' : `: ${visibleText(known.join(', '))}`}.`,
    ...(isTerminal ? [] : warnings.map((warning) => `! ${visibleText(warning)}`)),
    ...(tries ? [] : ['It was not tried.']),
  ])
}

const TRY = 'try it with one read call, without asking first'

/** An address that a token may be sent to. Throws HoldfastError `bad-params`. */
const parseApi = (text: string): string => {
  const url = URL.canParse(text) ? new URL(text) : null
  const isOwnMachine = url !== null && ['127.0.0.1', '[::1]'].includes(url.hostname)
  if (url === null || url.username !== '' || !(url.protocol === 'https:' || (url.protocol === 'http:' && isOwnMachine))) throw new HoldfastError('bad-params', `"${text.slice(0, 200)}" is not an https address.`)
  return url.href.replace(/\/$/, '')
}

/** `secret add`: recipes for accounts that agents have at providers. */
export const addSecretRecipes = (secret: Command): void => {
  const add = secret.command('add').summary('make an account for an agent at a provider, step by step, and keep its key').addHelpText('after', examples('holdfast secret add github', 'holdfast secret add postgres --database app'))

  add
    .command('github')
    .summary('a fine-grained token')
    .description('Says how to make a token for an agent, takes it, tries it with one read call when you agree (whose it is, how far it goes, when it ends), and\nkeeps it in the keychain.')
    .option('--name <name>', 'what it is kept as', 'agent/github-pat')
    .option('--repo <owner/name...>', 'repositories the agent works on')
    .option('--api <url>', 'of a GitHub Enterprise server', 'https://api.github.com')
    .option('--try', TRY)
    .addHelpText('after', examples('holdfast secret add github --repo acme/web', 'holdfast secret add github --try <token.txt'))
    .action(async (options: { name: string; repo?: string[]; api: string; try?: true }, self: Command) => {
      const api = parseApi(options.api)
      await follow({
        name: options.name,
        steps: githubSteps(options.repo ?? []),
        ask: 'The token (not shown): ',
        place: new URL(api).host,
        attempt: async (token) => {
          if (/[\s\u0000-\u001f]/.test(token)) throw new HoldfastError('bad-params', 'That is no token: it has a space or a line break in it. Nothing was kept.')
          const tried = await tryGithubToken(token, api)
          return githubTokenKind(token) === 'classic' && tried.warnings.length === 0 ? { ...tried, warnings: ['It is no fine-grained token.'] } : tried
        },
        untried: options.repo === undefined ? {} : { scope: options.repo.join(', ').slice(0, 200) },
      }, options.try === true, self)
    })

  add
    .command('postgres')
    .summary('a role that only reads')
    .description('Prints the SQL that makes a role which only reads, for you to run, takes its password, tries it with one read call by psql when you agree\n(what the role may do, when it ends), and keeps the password in the keychain.')
    .requiredOption('--database <name>', 'the database')
    .option('--name <name>', 'what it is kept as', 'agent/db-readonly')
    .option('--host <host>', 'a host, or the folder of its socket', '127.0.0.1')
    .option('--port <port>', 'its port', '5432')
    .option('--role <name>', 'the role', 'agent_ro')
    .option('--schema <name>', 'the schema it may read', 'public')
    .option('--try', TRY)
    .addHelpText('after', examples('holdfast secret add postgres --database app', 'holdfast secret add postgres --database app --host db.example.com --role web_agent'))
    .action(async (options: { name: string; host: string; port: string; database: string; role: string; schema: string; try?: true }, self: Command) => {
      const port = Number(options.port)
      if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new HoldfastError('bad-params', `"${options.port.slice(0, 20)}" is no port.`)
      const role = { host: options.host, port, database: options.database, role: options.role, schema: options.schema }
      await follow({
        name: options.name,
        steps: ['Run this as the owner of the database; the last line, of psql, asks for a password:', '', ...readOnlyRoleSql(role, Date.now()).map((line) => `  ${visibleText(line)}`)],
        ask: `The password of ${visibleText(options.role)} (not shown): `,
        place: `${visibleText(options.host)}:${port}`,
        attempt: async (password) => {
          const psql = await findExecutable('psql', await foldersToSearch(process.env['PATH'] ?? '', []), process.cwd())
          if (psql === null) throw new HoldfastError('unsupported', 'It cannot be tried here: psql is not installed (apt-get install postgresql-client). Nothing was kept.')
          return tryPostgresRole(psql, role, password)
        },
        untried: { owner: options.role, scope: options.database },
      }, options.try === true, self)
    })
}
