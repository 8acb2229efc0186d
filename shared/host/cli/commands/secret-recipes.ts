import type { Command } from 'commander'
import { HoldfastError } from '../../../contract/errors.ts'
import type { SecretDetails } from '../../../contract/schemas/secret.ts'
import { findExecutable, foldersToSearch } from '../../../core/agents/find-executable.ts'
import { createIssuer } from '../../../core/broker/secret-command.ts'
import { systemClock } from '../../../core/identifiers.ts'
import { readPlainFile } from '../../../core/plain-file.ts'
import { githubSteps, githubTokenKind, tryGithubToken } from '../../../core/secrets/recipes/github.ts'
import { awsDetails, awsRole, awsServerEnv, awsSteps, tryAwsRole } from '../../../core/secrets/recipes/aws.ts'
import { readOnlyRoleSql, tryPostgresRole } from '../../../core/secrets/recipes/postgres.ts'
import { visibleText } from '../../../domain/visible-text.ts'
import { askLine, confirm } from '../confirm.ts'
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
  /** Its value, from a person or made here. */
  readonly value: () => Promise<string>
  /** Said before it is tried: where the one call goes. */
  readonly place: string
  readonly attempt: (value: string) => Promise<Tried>
  /** What is known of it without trying. */
  readonly untried: SecretDetails
  /** Variables by which a server gets it, where they are more than its name. */
  readonly env?: Readonly<Record<string, string>>
}

/** Shows the steps, takes the value, tries it with one read call when that is agreed to, and keeps it with what was learned. */
const follow = async (recipe: Recipe, agreed: boolean, self: Command): Promise<void> => {
  const output = outputOf(self)
  const isTerminal = process.stdin.isTTY === true
  if (isTerminal) process.stderr.write(`${recipe.steps.join('\n')}\n\n`)
  const value = await recipe.value()
  const tries = agreed || (isTerminal && (await confirm(`Try it now, with one read call to ${recipe.place}?`)))
  const { details, warnings } = tries ? await recipe.attempt(value) : { details: recipe.untried, warnings: [] }
  if (warnings.length > 0 && isTerminal) {
    process.stderr.write(`${warnings.map((warning) => `! ${visibleText(warning)}`).join('\n')}\n`)
    if (!(await confirm('Keep it all the same?'))) throw new HoldfastError('bad-params', 'Nothing was kept.')
  }
  await withHost((client) => client.call('secret/set', { name: recipe.name, value, details }))
  const known = [details.owner === undefined ? '' : `of ${details.owner}`, details.scope ?? '', details.expiresAt === undefined ? '' : `until ${new Date(details.expiresAt).toISOString().slice(0, 10)}`].filter((part) => part !== '')
  output.result({ name: recipe.name, tried: tries, details, warnings, ...(recipe.env === undefined ? {} : { env: recipe.env }) }, [
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

/** What was not given, asked for at a terminal. Throws HoldfastError `bad-params` where there is none. */
const question = async (text: string, option: string): Promise<string> => {
  if (process.stdin.isTTY !== true) throw new HoldfastError('bad-params', `Give ${option}: there is no terminal to ask on.`)
  return askLine(text)
}

const MAX_POLICY_BYTES = 65_536

const readPolicy = (file: string): string => {
  const text = readPlainFile(file, MAX_POLICY_BYTES)
  if (text === null) throw new HoldfastError('bad-params', `There is no file ${file.slice(0, 500)} that could be a policy.`)
  return text
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
        value: () => readValue('The token (not shown): '),
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
        value: () => readValue(`The password of ${visibleText(options.role)} (not shown): `),
        place: `${visibleText(options.host)}:${port}`,
        attempt: async (password) => {
          const psql = await findExecutable('psql', await foldersToSearch(process.env['PATH'] ?? '', [process.cwd()]), process.cwd())
          if (psql === null) throw new HoldfastError('unsupported', 'It cannot be tried here: psql is not installed (apt-get install postgresql-client). Nothing was kept.')
          return tryPostgresRole(psql, role, password)
        },
        untried: { owner: options.role, scope: options.database },
      }, options.try === true, self)
    })

  add
    .command('aws')
    .summary('a role with a session policy')
    .description('Prints how to make a role, and the env by which a server gets credentials of it for an hour, issued by your own aws and held by a session policy\nthat ends after 90 days. Has one issued and asks AWS whose it is, with one read call, when you agree. Keeps the policy, with whose it is, how far it\ngoes and when it ends; no credential is kept. What is not given is asked for at a terminal.')
    .option('--role <arn>', 'the role')
    .option('--region <name>', 'the region')
    .option('--policy <file>', 'the session policy: a file of JSON')
    .option('--name <name>', 'what it is kept as', 'agent/aws')
    .option('--try', TRY)
    .addHelpText('after', examples('holdfast secret add aws', 'holdfast secret add aws --role arn:aws:iam::123456789012:role/agent --region eu-central-1 --policy read-logs.json --try'))
    .action(async (options: { name: string; role?: string; region?: string; policy?: string; try?: true }, self: Command) => {
      const arn = options.role ?? (await question('The role (arn:aws:iam::…:role/…): ', '--role'))
      const region = options.region ?? (await question('The region (such as eu-central-1): ', '--region'))
      const file = options.policy ?? (await question('The file of its session policy: ', '--policy'))
      const role = awsRole({ arn, region, policy: readPolicy(file) }, Date.now())
      await follow({
        name: options.name,
        steps: awsSteps(role),
        value: () => Promise.resolve(role.policy),
        place: 'AWS STS',
        attempt: async () => {
          const aws = await findExecutable('aws', await foldersToSearch(process.env['PATH'] ?? '', [process.cwd()]), process.cwd())
          if (aws === null) throw new HoldfastError('unsupported', 'It cannot be tried here: aws, the command line of AWS, is not installed. Nothing was kept.')
          return tryAwsRole(aws, role, createIssuer({ clock: systemClock, environment: process.env, agentFolder: process.cwd() }))
        },
        untried: awsDetails(role),
        env: awsServerEnv(role),
      }, options.try === true, self)
    })
}
