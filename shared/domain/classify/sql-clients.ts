/** A program that sends SQL to a database. */
export interface SqlClient {
  readonly names: readonly string[]
  /** Options whose value is SQL. */
  readonly sqlOptions: readonly string[]
  /** Single letters joined, of which the last takes SQL, as in `-qAtc`. */
  readonly cluster?: RegExp
  /** Options whose value is a file of SQL. */
  readonly fileOptions?: readonly string[]
  readonly valueOptions?: readonly string[]
  /** From this plain word on, words are SQL. */
  readonly sqlFromWord?: number
  /** A plain word that names a file of SQL. */
  readonly scriptWord?: RegExp
  /** Only after these plain words is it an SQL client. */
  readonly after?: readonly string[]
}

export const SQL_CLIENTS: readonly SqlClient[] = [
  { names: ['psql', 'pgcli', 'vsql', 'gsql'], sqlOptions: ['-c', '--command'], cluster: /^-[qAtxXnSsaebwE1]+c$/, fileOptions: ['-f', '--file'],
    valueOptions: ['-h', '-p', '-U', '-d', '-v', '-P', '-F', '-o', '-L', '--host', '--port', '--username', '--dbname'] },
  { names: ['mysql', 'mariadb', 'mycli'], sqlOptions: ['-e', '--execute', '--init-command'], cluster: /^-[NBsvtrqnfbCGEHX]+e$/, valueOptions: ['-h', '-u', '-P', '-D'] },
  { names: ['sqlite3', 'sqlite', 'litecli'], sqlOptions: ['-cmd'], fileOptions: ['-init'], sqlFromWord: 1,
    valueOptions: ['-separator', '-newline', '-nullvalue', '-init', '-cmd', '-mode'] },
  { names: ['duckdb'], sqlOptions: ['-c', '-s', '-cmd'], fileOptions: ['-f', '-init'], sqlFromWord: 1 },
  { names: ['sqlcmd'], sqlOptions: ['-Q', '-q'], fileOptions: ['-i'] },
  { names: ['clickhouse-client', 'clickhouse'], sqlOptions: ['--query', '-q'], fileOptions: ['--queries-file'] },
  { names: ['cockroach'], sqlOptions: ['-e', '--execute'], fileOptions: ['-f', '--file'], after: ['sql'] },
  { names: ['snowsql', 'snow'], sqlOptions: ['-q', '--query'], fileOptions: ['-f', '--filename'] },
  { names: ['trino', 'presto'], sqlOptions: ['--execute'], fileOptions: ['-f', '--file'] },
  { names: ['hive', 'beeline', 'spark-sql'], sqlOptions: ['-e'], fileOptions: ['-f'] },
  { names: ['impala-shell'], sqlOptions: ['-q', '--query'], fileOptions: ['-f'] },
  { names: ['cqlsh'], sqlOptions: ['-e', '--execute'], fileOptions: ['-f', '--file'] },
  { names: ['usql'], sqlOptions: ['-c', '--command'], fileOptions: ['-f', '--file'] },
  { names: ['bq'], sqlOptions: [], sqlFromWord: 1, after: ['query'] },
  { names: ['heroku'], sqlOptions: ['-c', '--command'], fileOptions: ['-f', '--file'], after: ['pg:psql'] },
  { names: ['wrangler'], sqlOptions: ['--command'], fileOptions: ['--file'], after: ['d1', 'execute'] },
  { names: ['turso'], sqlOptions: [], sqlFromWord: 3, after: ['db', 'shell'] },
  { names: ['sqlplus', 'isql', 'tsql', 'osql', 'db2', 'fbsql', 'monetdb', 'mclient'], sqlOptions: ['-Q', '-q'], fileOptions: ['-i'], scriptWord: /^@/ },
  { names: ['aws'], sqlOptions: ['--query-string', '--sql'], after: ['athena'] },
  { names: ['aws'], sqlOptions: ['--sql', '--sql-statement'], after: ['rds-data'] },
  { names: ['prisma'], sqlOptions: [], fileOptions: ['--file'], after: ['db', 'execute'] },
]

const NAMES: ReadonlySet<string> = new Set(SQL_CLIENTS.filter(({ after }) => after === undefined).flatMap(({ names }) => names))

/** Whether a program does nothing but to talk to a database. */
export const isSqlClient = (program: string): boolean => NAMES.has(program)
