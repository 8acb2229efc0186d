import { createHash } from 'node:crypto'
import { withoutSignature } from '../../domain/git-object.ts'
import type { NewCommit } from '../ports.ts'
import { toText } from './byte-path.ts'
import type { KeptState } from './differences.ts'
import { gitHomes } from './layout.ts'
import type { ObjectLists } from './object-mirror.ts'
import type { Project } from './project.ts'
import { readObjects, readRefs } from './refs.ts'

/** Commits that are looked at. */
const MAX_COMMITS = 1_000
const OBJECT_ID = /^[0-9a-f]{40}$/

/**
 * Commits that branches, tags and HEAD lead to in a state and did not lead to before, newest first; without those that a
 * remote's branches hold, which were fetched. At most 1,000.
 */
export const newCommits = async (project: Project, from: KeptState, to: KeptState): Promise<NewCommit[]> => {
  const homes = gitHomes(to.areas, Object.keys(project.manifest<ObjectLists>(to.objects)))
  if (homes === null) return []
  const [before, after] = [await readRefs(project, from.tree, homes), await readRefs(project, to.tree, homes)]
  const isFetched = (ref: string): boolean => ref.startsWith('refs/remotes/')
  const tips = [...after].filter(([ref, oid]) => !isFetched(ref) && before.get(ref) !== oid).map(([, oid]) => oid)
  const known = [...before.values(), ...[...after].flatMap(([ref, oid]) => (isFetched(ref) ? [oid] : []))]
  const input = [...tips.filter((oid) => OBJECT_ID.test(oid)), ...known.filter((oid) => OBJECT_ID.test(oid)).map((oid) => `^${oid}`)]
  if (!input.some((line) => !line.startsWith('^'))) return []
  const args = ['rev-list', '--ignore-missing', `--max-count=${MAX_COMMITS}`, '--stdin']
  const oids = (await project.run({ args, input: input.map((line) => `${line}\n`).join(''), env: project.withMirror() })).split('\n').filter((line) => line !== '')
  const texts = await readObjects(project, oids, 'commit')
  return oids.map((oid, index) => {
    const text = texts[index] ?? ''
    const person = (role: string): string => toText(new RegExp(`^${role} (.*>) \\d+ [+-]\\d{4}$`, 'm').exec(text)?.[1] ?? '').slice(0, 500)
    return { oid, author: person('author'), committer: person('committer'), payloadSha256: createHash('sha256').update(withoutSignature(text), 'latin1').digest('hex') }
  })
}
