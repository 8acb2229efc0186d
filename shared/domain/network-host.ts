/** Where a connection is to go: a host's name in small letters, or a literal address, and a port. */
export interface NetworkTarget {
  readonly host: string
  readonly port: number
}

/** For how long an answer to the question about a host lets its connections through, in ms: a page takes several. */
export const NETWORK_ANSWER_MS = 60_000

const RULE = /^(\*\.)?([a-z0-9_][a-z0-9._-]{0,252}|\[[0-9a-f:.]{2,45}\])(?::(\d{1,5}))?$/i

/**
 * `name`, `*.name`, either with `:port`; without a port any one is meant. A name in another script stands as it does in
 * DNS (`xn--…`). Null for what is no such rule.
 */
const parseHostRule = (text: string): { name: string; below: boolean; port: number | null } | null => {
  const [, below, name, port] = RULE.exec(text) ?? []
  if (name === undefined || (port !== undefined && (Number(port) < 1 || Number(port) > 65_535))) return null
  return { name: name.toLowerCase().replace(/^\[|\]$/g, ''), below: below !== undefined, port: port === undefined ? null : Number(port) }
}

/** Whether a text can be a rule for hosts: `name`, `*.name`, `name:port`. */
export const isHostRule = (text: string): boolean => parseHostRule(text) !== null

/** Whether a rule for hosts means this target. `*.name` means every name below it, and not the name itself. */
export const matchesHost = (rule: string, { host, port }: NetworkTarget): boolean => {
  const parsed = parseHostRule(rule)
  if (parsed === null || (parsed.port !== null && parsed.port !== port)) return false
  return parsed.below ? host.endsWith(`.${parsed.name}`) : host === parsed.name
}

/** Where the packages of each kind of project come from, by a file at its top. */
const REGISTRIES: readonly { readonly files: RegExp; readonly hosts: readonly string[] }[] = [
  { files: /^package\.json$/, hosts: ['registry.npmjs.org'] },
  { files: /^yarn\.lock$/, hosts: ['registry.yarnpkg.com'] },
  { files: /^(deno\.jsonc?|jsr\.json)$/, hosts: ['jsr.io', 'npm.jsr.io', 'deno.land'] },
  { files: /^(requirements.*\.txt|pyproject\.toml|setup\.(py|cfg)|Pipfile|uv\.lock)$/, hosts: ['pypi.org', 'files.pythonhosted.org'] },
  { files: /^Cargo\.toml$/, hosts: ['index.crates.io', 'static.crates.io', 'crates.io'] },
  { files: /^go\.(mod|work)$/, hosts: ['proxy.golang.org', 'sum.golang.org'] },
  { files: /^(Gemfile|.*\.gemspec)$/, hosts: ['rubygems.org', 'index.rubygems.org'] },
  { files: /^composer\.json$/, hosts: ['packagist.org', 'repo.packagist.org'] },
  { files: /^(pom\.xml|build\.gradle(\.kts)?|settings\.gradle(\.kts)?)$/, hosts: ['repo.maven.apache.org', 'repo1.maven.org'] },
  { files: /^(build|settings)\.gradle(\.kts)?$/, hosts: ['plugins.gradle.org', 'services.gradle.org'] },
  { files: /^.*\.(csproj|fsproj|sln)$/, hosts: ['api.nuget.org'] },
  { files: /^mix\.exs$/, hosts: ['hex.pm', 'repo.hex.pm'] },
  { files: /^pubspec\.yaml$/, hosts: ['pub.dev'] },
]

/** The public package registries of a project's tools, by the names of the files at its top. */
export const registriesOf = (fileNames: readonly string[]): string[] => [
  ...new Set(REGISTRIES.filter(({ files }) => fileNames.some((name) => files.test(name))).flatMap(({ hosts }) => hosts)),
]
