import { execFile } from 'node:child_process'
import { z } from 'zod'
import { HoldfastError } from '../../../contract/errors.ts'
import type { SecretDetails } from '../../../contract/schemas/secret.ts'

const ANSWERS_WITHIN_MS = 15_000
const MAX_OUTPUT_BYTES = 65_536
const DAY_MS = 86_400_000

export interface PostgresRole {
  readonly host: string
  readonly port: number
  readonly database: string
  readonly role: string
  readonly schema: string
}

export interface TriedRole {
  readonly details: SecretDetails
  readonly warnings: readonly string[]
}

/** An identifier as SQL has it (PostgreSQL, 4.1.1): quoted, with its own quotes doubled. */
const name = (text: string): string => `"${text.replaceAll('"', '""')}"`

/** The statements that make a role which only reads, for a person to run as the database's owner. */
export const readOnlyRoleSql = ({ database, role, schema }: PostgresRole, now: number): string[] => [
  `CREATE ROLE ${name(role)} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS CONNECTION LIMIT 5`,
  `  VALID UNTIL '${new Date(now + 90 * DAY_MS).toISOString().slice(0, 10)}';`,
  `ALTER ROLE ${name(role)} SET default_transaction_read_only = on;`,
  `ALTER ROLE ${name(role)} SET statement_timeout = '30s';`,
  `GRANT CONNECT ON DATABASE ${name(database)} TO ${name(role)};`,
  `GRANT USAGE ON SCHEMA ${name(schema)} TO ${name(role)};`,
  `GRANT SELECT ON ALL TABLES IN SCHEMA ${name(schema)} TO ${name(role)};`,
  `ALTER DEFAULT PRIVILEGES IN SCHEMA ${name(schema)} GRANT SELECT ON TABLES TO ${name(role)};`,
  `\\password ${name(role)}`,
]

/** What the role may do beyond reading, as the database itself knows it. One read. */
const QUESTION = `SELECT json_build_object(
  'role', current_user,
  'powers', (SELECT array_remove(ARRAY[CASE WHEN rolsuper THEN 'superuser' END, CASE WHEN rolcreaterole THEN 'makes roles' END, CASE WHEN rolcreatedb THEN 'makes databases' END,
    CASE WHEN rolreplication THEN 'replicates' END, CASE WHEN rolbypassrls THEN 'passes row security' END], NULL) FROM pg_roles WHERE rolname = current_user),
  'writes', (SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname ~ '^(pg_|information_schema)')
    AND has_table_privilege(oid, 'INSERT, UPDATE, DELETE, TRUNCATE')),
  'reads', (SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm') AND relnamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname ~ '^(pg_|information_schema)')
    AND has_table_privilege(oid, 'SELECT')),
  'until', (SELECT CASE WHEN rolvaliduntil = 'infinity' THEN NULL ELSE floor(extract(epoch FROM rolvaliduntil) * 1000) END FROM pg_roles WHERE rolname = current_user))`

const Answer = z.object({
  role: z.string().max(200),
  powers: z.array(z.string().max(50)).max(10),
  writes: z.number().int(),
  reads: z.number().int(),
  until: z.number().nullable(),
})

const ask = (psql: string, { host, port, database, role }: PostgresRole, password: string): Promise<string> =>
  new Promise((resolve, reject) => {
    execFile(
      psql,
      ['--no-psqlrc', '--no-password', '--tuples-only', '--no-align', '--quiet', '--command', QUESTION],
      {
        env: { PATH: '/usr/bin:/bin', PGHOST: host, PGPORT: String(port), PGDATABASE: database, PGUSER: role, PGPASSWORD: password, PGCONNECT_TIMEOUT: '10', PGAPPNAME: 'holdfast' },
        timeout: ANSWERS_WITHIN_MS,
        maxBuffer: MAX_OUTPUT_BYTES,
      },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout)
        else reject(new HoldfastError('secret-unavailable', `The database refuses ${role}: ${(stderr.split('\n')[0] ?? '').replaceAll(password, '…').slice(0, 300)} Nothing was kept.`))
      },
    )
  })

/**
 * Signs in as a role with one read, by the psql given, and says what the role may do. Throws HoldfastError
 * `secret-unavailable` when it is refused, and never repeats the password.
 */
export const tryPostgresRole = async (psql: string, target: PostgresRole, password: string): Promise<TriedRole> => {
  const answer = Answer.safeParse(JSON.parse(await ask(psql, target, password)))
  if (!answer.success) throw new HoldfastError('secret-unavailable', 'The database gave an answer that Holdfast does not understand. Nothing was kept.')
  const { role, powers, writes, reads, until } = answer.data
  return {
    details: {
      owner: role,
      scope: `${target.database}: reads ${reads} table${reads === 1 ? '' : 's'}${writes > 0 ? `, writes ${writes}` : ''}`,
      ...(until === null ? {} : { expiresAt: until }),
    },
    warnings: [
      ...(powers.length > 0 ? [`This role is more than a reader: ${powers.join(', ')}.`] : []),
      ...(writes > 0 ? [`This role can write ${writes} table${writes === 1 ? '' : 's'}.`] : []),
      ...(until === null ? ['Its password never ends: ALTER ROLE … VALID UNTIL.'] : []),
    ],
  }
}
