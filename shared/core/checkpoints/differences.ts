import type { CheckpointDiff, FileChange } from '../../contract/schemas/checkpoint.ts'
import { isGitPath, permissionChanges, type Extras, type FileKind, type TreeChange } from '../../domain/checkpoint-plan.ts'
import { gitHomes, shownPath, type Areas } from './layout.ts'
import type { ObjectLists } from './object-mirror.ts'
import type { Project } from './project.ts'
import { movedRefs, readRefs } from './refs.ts'

/** Characters of paths that one answer holds: a frame of the contract is limited. */
const SHOWN_CHARACTERS = 1_000_000

/** The parts of a kept state, of a checkpoint or of a look at the present that none was made of. */
export interface KeptState {
  readonly areas: Areas
  readonly tree: string
  readonly extras: string
  readonly objects: string
}

/** What differs between two trees. */
export const differences = async (project: Project, from: string, to: string): Promise<TreeChange[]> => (await differencesOfPairs(project, [[from, to]]))[0] ?? []

/** What differs between the trees of each pair. */
export const differencesOfPairs = async (project: Project, pairs: readonly (readonly [string, string])[]): Promise<TreeChange[][]> => {
  const input = pairs.map(([from, to]) => `${from} ${to}\n`).join('')
  const output = input === '' ? '' : await project.run({ args: ['diff-tree', '--stdin', '-r', '-z', '--raw', '--no-renames', '--no-abbrev'], input })
  const fields = output.split('\0')
  const found = new Map<string, TreeChange[]>()
  let changes: TreeChange[] = []
  for (let at = 0; at + 1 < fields.length; at += 2) {
    let field = fields[at] ?? ''
    // A pair has a line of its own before its first change; one without changes has that line alone.
    for (let end = field.indexOf('\n'); end !== -1; end = field.indexOf('\n')) {
      changes = []
      found.set(field.slice(0, end), changes)
      field = field.slice(end + 1)
    }
    const [fromMode, toMode, fromOid, toOid] = field.slice(1).split(' ')
    changes.push({ path: fields[at + 1] ?? '', from: side(fromMode, fromOid), to: side(toMode, toOid) })
  }
  return pairs.map(([from, to]) => found.get(`${from} ${to}`) ?? [])
}

const side = (mode: string | undefined, oid: string | undefined) =>
  mode === undefined || oid === undefined || mode === '000000' ? null : { mode: mode as FileKind, oid }

/** The difference of two states as a person is shown it; `whoChanged` is null where nobody is to be named. */
export const describeDifference = async (
  project: Project,
  from: KeptState,
  to: KeptState,
  whoChanged: ((path: string) => NonNullable<FileChange['by']>) | null,
): Promise<Pick<CheckpointDiff, 'counts' | 'changes' | 'omitted' | 'refsMoved'>> => {
  const changed = await differences(project, from.tree, to.tree)
  const inTree = new Set(changed.map((change) => change.path))
  const onlyPermissions = permissionChanges(project.manifest<Extras>(from.extras), project.manifest<Extras>(to.extras)).filter((path) => !inTree.has(path))
  const kindOf = (change: TreeChange): FileChange['change'] =>
    change.from === null ? 'added' : change.to === null ? 'deleted' : change.from.oid === change.to.oid ? 'permissions' : 'modified'
  const all = [...changed.map((change) => ({ path: change.path, change: kindOf(change) })), ...onlyPermissions.map((path) => ({ path, change: 'permissions' as const }))]
    .filter(({ path }) => !isGitPath(path))
    .map(({ path, change }): FileChange => ({ path: shownPath(to.areas, path), change, by: whoChanged?.(path) ?? null }))
    .sort((a, b) => (a.path < b.path ? -1 : 1))
  let characters = 0
  const changes = all.filter(({ path }) => (characters += path.length + 40) <= SHOWN_CHARACTERS)
  const count = (is: (change: FileChange) => boolean): number => all.filter(is).length
  return {
    counts: {
      added: count(({ change }) => change === 'added'),
      modified: count(({ change }) => change === 'modified' || change === 'permissions'),
      deleted: count(({ change }) => change === 'deleted'),
      leftAlone: count(({ by }) => by === 'other'),
      conflicts: count(({ by }) => by === 'both'),
    },
    changes,
    omitted: all.length - changes.length,
    refsMoved: changed.some(({ path }) => isGitPath(path)) ? await refsBetween(project, from, to) : [],
  }
}

/** Names of the refs, HEAD among them, whose values differ between two states. */
export const refsBetween = async (project: Project, from: KeptState, to: KeptState): Promise<string[]> => {
  const homes = gitHomes(to.areas, Object.keys({ ...project.manifest<ObjectLists>(from.objects), ...project.manifest<ObjectLists>(to.objects) }))
  return homes === null ? [] : movedRefs(await readRefs(project, from.tree, homes), await readRefs(project, to.tree, homes))
}
