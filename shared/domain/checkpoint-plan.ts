/**
 * What a checkpoint keeps, and what bringing a tree back takes: the rules, without touching a disk.
 *
 * Paths here are byte strings (one UTF-16 unit per byte, since a file name need not be valid UTF-8) in stored form:
 * `<area>/<path>`, with a component `.git` written `.git~`, because git refuses `.git` inside a tree.
 */

export type FileKind = '100644' | '100755' | '120000'

/** One kept file: its git mode, the id of its bytes, and its permission bits (0 for a symbolic link). */
export interface Entry {
  readonly mode: FileKind
  readonly oid: string
  readonly permissions: number
}

/** What a tree object cannot say: permissions other than 644 and 755, folders without a kept file, folder permissions. */
export interface Extras {
  readonly files: Readonly<Record<string, number>>
  readonly folders: Readonly<Record<string, number>>
  readonly empty: readonly string[]
  /** Modification times of git index files, in whole milliseconds: git's test for a racy entry depends on them. */
  readonly indexTimes: Readonly<Record<string, number>>
}

/** A difference of two trees, as `git diff-tree` tells it. */
export interface TreeChange {
  readonly path: string
  readonly from: Omit<Entry, 'permissions'> | null
  readonly to: Omit<Entry, 'permissions'> | null
}

/** One path to bring from its `from` to its `to`; null is "not there". */
export interface FileStep {
  readonly path: string
  readonly from: Entry | null
  readonly to: Entry | null
}

export interface PermissionStep {
  readonly path: string
  readonly from: number
  readonly to: number
}

export interface RestorePlan {
  /** Removals that stand in the way of a write; before the writes. */
  readonly blocking: readonly FileStep[]
  /** Folders that stand where a file is to go, and those in them, deepest first; after `blocking`. */
  readonly clearing: readonly string[]
  readonly writes: readonly FileStep[]
  readonly removals: readonly FileStep[]
  /** Folders to remove when nothing is left in them, deepest first. */
  readonly emptied: readonly string[]
  readonly folders: readonly string[]
  readonly permissions: readonly PermissionStep[]
}

const storedName = (name: string): string => (/^\.git~*$/i.test(name) ? `${name}~` : name)
const plainName = (name: string): string => (/^\.git~+$/i.test(name) ? name.slice(0, -1) : name)

/** The stored form of one file name; `plainPath` is its inverse, name by name. */
export const toStoredName = storedName
export const plainPath = (path: string): string => path.split('/').map(plainName).join('/')

export const defaultPermissions = (mode: FileKind): number => (mode === '100755' ? 0o755 : mode === '100644' ? 0o644 : 0)

/** Every folder above a path, nearest first, down to the area itself. */
export const foldersAbove = (path: string): string[] => {
  const above: string[] = []
  for (let cut = path.lastIndexOf('/'); cut > 0; cut = path.lastIndexOf('/', cut - 1)) above.push(path.slice(0, cut))
  return above
}

/** Folders of dependencies and build output: left out of a checkpoint where git ignores them. */
const MADE_FOLDERS: ReadonlySet<string> = new Set(
  (
    'node_modules bower_components jspm_packages .pnpm-store .yarn .venv venv __pycache__ .tox .nox .mypy_cache ' +
    '.pytest_cache .ruff_cache .eggs target build dist out bin obj .next .nuxt .svelte-kit .turbo .parcel-cache .cache ' +
    '.gradle .terraform Pods DerivedData vendor coverage .nyc_output _build deps .dart_tool .stack-work elm-stuff'
  ).split(' '),
)
export const isMadeFolder = (name: string): boolean => MADE_FOLDERS.has(name)

/** The same, where no git says what is ignored: only names that can mean nothing else. */
export const isDependencyFolder = (name: string): boolean =>
  ['node_modules', 'bower_components', 'jspm_packages', '.venv', '__pycache__', '.tox', '.nox'].includes(name)

/** Ignored files that people miss most: settings, keys, local databases. Kept up to the limit of ordinary files. */
export const isPrecious = (name: string): boolean => /^\.env(\.|$)|\.(pem|key|p12|pfx|sqlite3?|db|kdbx|tfstate)$/i.test(name)

/** What to do with a path, by what it was, what is wanted, and what is there now. */
export const decide = (from: Entry | null, to: Entry | null, now: Entry | null): 'restore' | 'done' | 'conflict' =>
  sameEntry(now, to) ? 'done' : sameEntry(now, from) ? 'restore' : 'conflict'

export const sameEntry = (a: Entry | null, b: Entry | null): boolean =>
  a === b || (a !== null && b !== null && a.mode === b.mode && a.oid === b.oid && a.permissions === b.permissions)

/**
 * Orders the way from one kept state to another.
 * `isChosen` says which paths are meant at all; `stays` that one must be left as it is, whatever the two states say.
 */
export const planRestore = (params: {
  changes: readonly TreeChange[]
  from: Extras
  to: Extras
  isChosen: (path: string) => boolean
  stays: (step: FileStep) => boolean
}): RestorePlan => {
  const from = onlyChosen(params.from, params.isChosen)
  const to = onlyChosen(params.to, params.isChosen)
  const steps = params.changes
    .filter((change) => params.isChosen(change.path))
    .map((change) => ({ path: change.path, from: withPermissions(change.from, change.path, from), to: withPermissions(change.to, change.path, to) }))
    .filter((step) => !params.stays(step))
  const writes = steps.filter((step) => step.to !== null).sort(byGitLast)
  const written = new Set(writes.map((step) => step.path))
  const aboveWritten = new Set(writes.flatMap((step) => foldersAbove(step.path)))
  const removals = steps.filter((step) => step.to === null)
  const blocks = (step: FileStep) => aboveWritten.has(step.path) || foldersAbove(step.path).some((folder) => written.has(folder))

  const kept = new Set(to.empty.flatMap((folder) => [folder, ...foldersAbove(folder)]))
  const wasEmpty = new Set(from.empty)
  const emptied = new Set([...removals.flatMap((step) => foldersAbove(step.path)), ...from.empty.flatMap((folder) => [folder, ...foldersAbove(folder)])])
  const gone = [...emptied].filter((folder) => !kept.has(folder) && folder.includes('/')).sort(deepestFirst)
  const changed = new Set(params.changes.map((change) => change.path))
  return {
    blocking: removals.filter(blocks),
    clearing: gone.filter((folder) => [folder, ...foldersAbove(folder)].some((path) => written.has(path))),
    writes,
    removals: removals.filter((step) => !blocks(step)),
    emptied: gone,
    folders: to.empty.filter((folder) => !wasEmpty.has(folder)),
    permissions: [
      ...permissionSteps(from.files, to.files, (bits) => ((bits & 0o100) === 0 ? 0o644 : 0o755)).filter(
        (step) => !changed.has(step.path) && !params.stays({ path: step.path, from: null, to: null }),
      ),
      ...permissionSteps(from.folders, to.folders, () => 0o755),
    ].sort((a, b) => deepestFirst(a.path, b.path)),
  }
}

const onlyChosen = (extras: Extras, isChosen: (path: string) => boolean): Extras => {
  const some = (all: Readonly<Record<string, number>>) => Object.fromEntries(Object.entries(all).filter(([path]) => isChosen(path)))
  return { files: some(extras.files), folders: some(extras.folders), empty: extras.empty.filter(isChosen), indexTimes: extras.indexTimes }
}

/** The paths that changed only in their permissions: those are not in a difference of trees. */
export const permissionChanges = (from: Extras, to: Extras): string[] =>
  permissionSteps(from.files, to.files, (bits) => ((bits & 0o100) === 0 ? 0o644 : 0o755)).map((step) => step.path)

const withPermissions = (entry: Omit<Entry, 'permissions'> | null, path: string, extras: Extras): Entry | null =>
  entry === null ? null : { ...entry, permissions: extras.files[path] ?? defaultPermissions(entry.mode) }

const permissionSteps = (
  from: Readonly<Record<string, number>>,
  to: Readonly<Record<string, number>>,
  usual: (other: number) => number,
): PermissionStep[] =>
  [...new Set([...Object.keys(from), ...Object.keys(to)])]
    .map((path) => ({ path, from: from[path] ?? usual(to[path] ?? 0), to: to[path] ?? usual(from[path] ?? 0) }))
    .filter((step) => step.from !== step.to)

const depth = (path: string): number => path.split('/').length
const deepestFirst = (a: string, b: string): number => depth(b) - depth(a) || (a < b ? -1 : 1)

/** Working files first, then what git keeps, so that no ref or index speaks of files that are not back yet. */
const byGitLast = (a: FileStep, b: FileStep): number => Number(isGitPath(a.path)) - Number(isGitPath(b.path)) || (a.path < b.path ? -1 : 1)

export const isGitPath = (path: string): boolean => /^(git|common)\//.test(path) || path.includes('/.git~/')

/**
 * The part of a git folder that stands for one moment of work (HEAD, index, a merge or rebase under way): files that make
 * sense only together. Null for refs, logs, configuration, hooks and everything outside a git folder.
 */
export const momentOf = (path: string): string | null => {
  const inside = /^(.*\/\.git~|git)\/(.*)$/s.exec(path)
  const [, folder, rest] = inside ?? []
  if (folder === undefined || rest === undefined) return null
  return /^(refs|logs|packed-refs|config|hooks|info|objects|modules|worktrees|branches|description|shallow|FETCH_HEAD)(\/|$)/.test(rest) ? null : folder
}

/** The name of the copy that lies beside a path kept in conflict; at most 255 bytes, whatever the name. */
export const recoveryPath = (path: string, tag: string): string => {
  const cut = path.lastIndexOf('/') + 1
  const suffix = `.holdfast-${tag}`
  return path.slice(0, cut) + path.slice(cut).slice(0, 255 - suffix.length) + suffix
}

/** Refs of a `packed-refs` file, peeled lines and the header left aside. */
export const parsePackedRefs = (text: string): Map<string, string> => {
  const refs = new Map<string, string>()
  for (const line of text.split('\n')) {
    const [, oid, name] = /^([0-9a-f]{40,64}) (\S+)$/.exec(line) ?? []
    if (oid !== undefined && name !== undefined) refs.set(name, oid)
  }
  return refs
}
