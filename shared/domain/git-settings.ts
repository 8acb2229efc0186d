/** Settings of a repository through which git runs nothing (git-config(1)), as `section.name` or `section.*.name`. */
const HARMLESS = new Set([
  ...['repositoryformatversion', 'filemode', 'bare', 'logallrefupdates', 'ignorecase', 'precomposeunicode', 'symlinks', 'worktree'].map((name) => `core.${name}`),
  ...['autocrlf', 'eol', 'safecrlf', 'sparsecheckout', 'sparsecheckoutcone', 'longpaths', 'protectntfs', 'protecthfs', 'quotepath'].map((name) => `core.${name}`),
  ...['objectformat', 'compatobjectformat', 'refstorage', 'worktreeconfig', 'partialclone', 'relativeworktrees', 'preciousobjects'].map((name) => `extensions.${name}`),
  ...['url', 'pushurl', 'fetch', 'push', 'mirror', 'prune', 'tagopt', 'promisor', 'partialclonefilter'].map((name) => `remote.*.${name}`),
  ...['remote', 'pushremote', 'merge', 'rebase', 'description'].map((name) => `branch.*.${name}`),
  ...['url', 'active', 'branch', 'ignore', 'shallow', 'fetchrecursesubmodules'].map((name) => `submodule.*.${name}`),
  ...['submodule.active', 'submodule.recurse', 'user.name', 'user.email', 'author.name', 'author.email', 'committer.name', 'committer.email'],
  ...['init.defaultbranch', 'pull.rebase', 'pull.ff', 'push.default', 'push.autosetupremote', 'fetch.prune', 'merge.conflictstyle', 'merge.ff'],
  ...['rebase.autostash', 'rebase.autosquash', 'rerere.enabled', 'gc.auto', 'color.ui', 'feature.manyfiles', 'index.version', 'diff.renames'],
])

const SECTION = /^[ \t]*\[[ \t]*([A-Za-z0-9-]+)(?:[ \t]+"((?:[^"\\]|\\.)*)")?[ \t]*\][ \t]*(?:[#;].*)?$/
const SETTING = /^[ \t]*([A-Za-z][A-Za-z0-9-]*)[ \t]*(?:=.*)?$/
const EMPTY = /^[ \t]*(?:[#;].*)?$/

/**
 * Names of what may make git run a command, or read more settings, in the text of a `config` file: everything that is
 * not known to be harmless. A line that is not as git itself writes it counts: what git makes of it is not guessed at.
 */
export const settingsThatRun = (text: string): string[] => {
  const found = new Set<string>()
  let section: string | null = null
  for (const line of text.split(/\r?\n/)) {
    if (EMPTY.test(line)) continue
    const [, name, part] = SECTION.exec(line) ?? []
    const key = SETTING.exec(line)?.[1]
    if (name !== undefined) section = part === undefined ? name.toLowerCase() : `${name.toLowerCase()}.*`
    else if (key === undefined || section === null || line.endsWith('\\')) found.add('a line that is not as git writes it')
    else if (!HARMLESS.has(`${section}.${key.toLowerCase()}`)) found.add(`${section.replace('.*', '')}.${key.toLowerCase()}`)
  }
  return [...found]
}

const VALUE = /^[ \t]*([A-Za-z][A-Za-z0-9-]*)[ \t]*=[ \t]*"?([^"#;\r]*?)"?[ \t]*(?:[#;].*)?$/

/** Where the text of a `config` file has git look for hooks, and for more settings, as it is written there. */
export const pathsNamed = (text: string): { readonly hooks: readonly string[]; readonly settings: readonly string[] } => {
  const found = { hooks: [] as string[], settings: [] as string[] }
  let section = ''
  for (const line of text.split('\n')) {
    section = SECTION.exec(line)?.[1]?.toLowerCase() ?? section
    const [, name = '', value = ''] = VALUE.exec(line) ?? []
    if (section === 'core' && name.toLowerCase() === 'hookspath') found.hooks.push(value)
    if (section.startsWith('include') && name.toLowerCase() === 'path') found.settings.push(value)
  }
  return found
}
