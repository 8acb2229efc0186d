import type { Boundary } from './boundaries.ts'

/** A tool call that shows what a boundary means. */
export interface SampleCall {
  readonly tool: string
  readonly input: Readonly<Record<string, string>>
}

/** What of a project decides which calls an action stands for. */
export interface ActionFacts {
  readonly packageManager: string | null
  /** Names of the scripts in package.json. */
  readonly scripts: readonly string[]
  /** Names of MCP servers. */
  readonly servers: readonly string[]
}

interface KnownAction {
  readonly topic: RegExp
  readonly unless?: RegExp
  /** Rules that ask, where the class of the calls does not ask already, or to say it plainly. */
  readonly ask?: (facts: ActionFacts) => readonly string[]
  readonly samples: (facts: ActionFacts) => readonly SampleCall[]
}

const bash = (...commands: readonly string[]): SampleCall[] => commands.map((command) => ({ tool: 'Bash', input: { command } }))
const prefixes = (...commands: readonly string[]): string[] => commands.map((command) => `Bash(${command}:*)`)

const databases = ({ servers }: ActionFacts): string[] => servers.filter((name) => /(^|[^a-z])(db|sql)|database|postgres|mysql|sqlite/i.test(name))

const sqlSamples = (facts: ActionFacts, ...statements: readonly string[]): SampleCall[] => [
  ...databases(facts).flatMap((server) => statements.map((sql) => ({ tool: `mcp__${server}__query`, input: { sql } }))),
  ...bash(...statements.map((sql) => `psql -h staging-db -c "${sql}"`)),
]

const runner = ({ packageManager }: ActionFacts): string => packageManager ?? 'npm'

const scriptsLike = (facts: ActionFacts, words: RegExp): string[] =>
  facts.scripts.filter((name) => words.test(name) && /^[\w:.-]{1,100}$/.test(name)).map((name) => `${runner(facts)} run ${name}`)

const FORBIDDEN: readonly KnownAction[] = [
  { topic: /push.*force|force.*push/i, ask: () => prefixes('git push --force', 'git push -f', 'git push --force-with-lease'),
    samples: () => bash('git push --force', 'git push origin +main') },
  { topic: /\bpush/i, unless: /force/i, ask: () => prefixes('git push'), samples: () => bash('git push origin main') },
  { topic: /reset.*--hard|hard reset/i, ask: () => prefixes('git reset --hard'), samples: () => bash('git reset --hard HEAD~1') },
  { topic: /rebas|rewrit\w* history/i, ask: () => prefixes('git rebase', 'git commit --amend'), samples: () => bash('git rebase main') },
  { topic: /merg/i, unless: /conflict/i, ask: ({ servers }) => [...prefixes('gh pr merge', 'git merge'), ...servers.filter((name) => /^[\w-]+$/.test(name)).map((name) => `mcp__${name}__merge_pull_request`)],
    samples: () => bash('gh pr merge 3') },
  { topic: /\bdrop\b/i, samples: (facts) => sqlSamples(facts, 'DROP TABLE users') },
  { topic: /truncate/i, samples: (facts) => sqlSamples(facts, 'TRUNCATE users') },
  { topic: /delete from|delet\w* (rows|data|records)/i, samples: (facts) => sqlSamples(facts, 'DELETE FROM users') },
  { topic: /migrat/i, ask: (facts) => prefixes(...scriptsLike(facts, /migrat/i), 'npx prisma migrate', 'alembic upgrade', 'python manage.py migrate'),
    samples: () => bash('npx prisma migrate deploy') },
  { topic: /deploy/i, ask: (facts) => prefixes(...scriptsLike(facts, /deploy|release|prod/i), 'make deploy'),
    samples: (facts) => bash('vercel --prod', 'kubectl --context production apply -f app.yaml', ...scriptsLike(facts, /deploy|release|prod/i)) },
  { topic: /\biam\b|polic(y|ies)|permission|access right/i,
    samples: () => bash('aws iam create-policy --policy-name p --policy-document file://p.json', 'aws iam put-role-policy --role-name r --policy-name p',
      'gcloud projects add-iam-policy-binding p --member=m --role=r') },
  { topic: /terraform|infrastructure|pulumi/i, ask: () => prefixes('terraform apply', 'terraform destroy', 'pulumi up'), samples: () => bash('terraform apply') },
  { topic: /publish/i, ask: (facts) => prefixes(`${runner(facts)} publish`), samples: (facts) => bash(`${runner(facts)} publish`) },
  { topic: /install\w*|(add|new|change)\w* dependenc/i, ask: (facts) => prefixes(`${runner(facts)} install`, `${runner(facts)} add`, 'pip install'),
    samples: (facts) => bash(`${runner(facts)} install left-pad`) },
  { topic: /delet\w* files|rm -rf/i, samples: () => bash('rm -rf src') },
  { topic: /\.env\b|secret|credential/i, ask: () => ['Read(.env*)', 'Edit(.env*)'], samples: () => [{ tool: 'Read', input: { file_path: '.env' } }] },
]

const ALLOWED: readonly KnownAction[] = [
  { topic: /\bread/i, samples: () => [{ tool: 'Read', input: { file_path: 'README.md' } }] },
  { topic: /search/i, samples: () => [{ tool: 'Grep', input: { pattern: 'main' } }, ...bash('rg main')] },
  { topic: /\btest/i, samples: (facts) => bash(facts.packageManager === null ? 'npm test' : `${facts.packageManager} test`) },
  { topic: /lint|format/i, samples: (facts) => bash(`${runner(facts)} run lint`) },
  { topic: /\bbuild/i, samples: (facts) => bash(`${runner(facts)} run build`) },
  { topic: /commit/i, samples: () => bash('git add -A', 'git commit -m "a change"') },
  { topic: /(quer|read).*database|database.*quer/i, samples: (facts) => sqlSamples(facts, 'SELECT 1') },
  { topic: /\b(edit|writ|chang)\w* (code|files|source)/i, samples: () => [{ tool: 'Edit', input: { file_path: 'src/index.ts' } }] },
]

/** What is allowed "but not on production" is asked about there. */
const NOT_PRODUCTION: KnownAction = {
  topic: /database.*\b(not|non|except|but)\b.*prod|non.prod\w* database/i,
  ask: () => ['psql', 'mysql', 'mongosh'].flatMap((client) => ['prod-*', '-prod*', 'production*'].map((place) => `Bash(${client} *${place})`)),
  samples: () => [],
}

/** Commands that a line quotes as code, where they are plain words. */
const quotedCommands = (text: string): string[] =>
  [...text.matchAll(/`([a-z][\w./-]*(?: [\w./:@=+-]+)*)`/g)].map(([, command = '']) => command).filter((command) => command.includes(' '))

export interface ActionMeaning {
  readonly ask: readonly string[]
  readonly samples: readonly SampleCall[]
}

/** What a boundary means in rules and calls; null when it is about nothing that is known here. */
export const meaningOf = (boundary: Boundary, facts: ActionFacts): ActionMeaning | null => {
  const table = boundary.kind === 'forbidden' ? FORBIDDEN : [...ALLOWED, NOT_PRODUCTION]
  const actions = table.filter(({ topic, unless }) => topic.test(boundary.text) && unless?.test(boundary.text) !== true)
  const quoted = quotedCommands(boundary.text)
  if (actions.length === 0 && quoted.length === 0) return null
  const ask = actions.flatMap((action) => action.ask?.(facts) ?? [])
  return {
    ask: [...new Set(boundary.kind === 'forbidden' ? [...ask, ...prefixes(...quoted)] : ask)],
    samples: [...actions.flatMap((action) => action.samples(facts)), ...bash(...quoted)],
  }
}
