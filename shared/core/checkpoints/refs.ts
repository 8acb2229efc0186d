import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parsePackedRefs } from '../../domain/checkpoint-plan.ts'
import { toText } from './byte-path.ts'
import type { KeptState } from './differences.ts'
import { gitHomes, type GitHomes } from './layout.ts'
import type { ObjectLists } from './object-mirror.ts'
import type { Project } from './project.ts'

/** All refs of a kept state with their values, HEAD included; loose ones over packed ones, as git reads them. */
export const readRefs = async (project: Project, tree: string, homes: GitHomes): Promise<Map<string, string>> => {
  const listed = await project.run({ args: ['ls-tree', '-r', '-z', tree, '--', `${homes.head}/HEAD`, `${homes.refs}/packed-refs`, `${homes.refs}/refs`] })
  const files = listed.split('\0').flatMap((line) => {
    const [, oid, path] = /^\d+ blob ([0-9a-f]+)\t(.*)$/s.exec(line) ?? []
    return oid === undefined || path === undefined ? [] : [{ oid, path }]
  })
  const contents = await readBlobs(project, files.map((file) => file.oid))
  const refs = new Map<string, string>()
  files.forEach(({ path }, index) => {
    if (path === `${homes.refs}/packed-refs`) for (const [name, oid] of parsePackedRefs(contents[index] ?? '')) refs.set(name, oid)
  })
  files.forEach(({ path }, index) => {
    const name = path === `${homes.head}/HEAD` ? 'HEAD' : path.slice(homes.refs.length + 1)
    if (name !== 'packed-refs') refs.set(name, (contents[index] ?? '').trim())
  })
  return refs
}

/** The log git keeps of a ref, as a kept state has it; empty where there is none. */
export const readLog = async (project: Project, tree: string, homes: GitHomes, ref: string): Promise<string> =>
  project.run({ args: ['cat-file', 'blob', `${tree}:${homes.refs}/logs/${ref}`], env: project.withMirror() }).catch(() => '')

/** Names of the refs whose values differ. */
export const movedRefs = (before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): string[] =>
  [...new Set([...before.keys(), ...after.keys()])].filter((name) => before.get(name) !== after.get(name)).sort()

/** `Name <email> seconds` of the author of every commit that the refs and HEAD of a kept state lead to. */
export const readAuthors = async (project: Project, { areas, tree, objects }: KeptState): Promise<ReadonlySet<string>> => {
  const homes = gitHomes(areas, Object.keys(project.manifest<ObjectLists>(objects)))
  if (homes === null) return new Set()
  const oids = [...new Set((await readRefs(project, tree, homes)).values())].filter((value) => /^[0-9a-f]{40}$/.test(value))
  const args = ['log', '--ignore-missing', '--no-show-signature', '--no-use-mailmap', '--encoding=UTF-8', '--format=%an <%ae> %at', '--stdin']
  const lines = await project.run({ args, input: oids.map((oid) => `${oid}\n`).join(''), env: project.withMirror() })
  return new Set(toText(lines).split('\n').filter((line) => line !== ''))
}

/** Contents of small blobs, in the order asked; empty for one that is not there. */
export const readBlobs = (project: Project, oids: readonly string[]): Promise<string[]> => readObjects(project, oids, 'blob')

/** The same for objects of another kind. */
export const readObjects = async (project: Project, oids: readonly string[], kind: 'blob' | 'commit'): Promise<string[]> => {
  if (oids.length === 0) return []
  const output = await project.run({ args: ['cat-file', '--batch'], input: `${oids.join('\n')}\n`, env: project.withMirror() })
  const contents: string[] = []
  let at = 0
  for (let index = 0; index < oids.length; index += 1) {
    const end = output.indexOf('\n', at)
    const [, found, length = ''] = / (\w+) (\d+)$/.exec(output.slice(at, end)) ?? []
    const size = found === undefined ? -1 : Number(length)
    contents.push(found === kind ? output.slice(end + 1, end + 1 + size) : '')
    at = end + size + 2
  }
  return contents
}

/** Whether two kept index files say the same: `git status` writes file times anew into one, and that alone is nobody's change. */
export const isSameIndex = async (project: Project, one: string, other: string): Promise<boolean> => {
  const contents = await readBlobs(project, [one, other])
  const lists = []
  for (const [number, bytes] of contents.entries()) {
    const file = join(project.scratch, `index-${number}`)
    writeFileSync(file, Buffer.from(bytes, 'latin1'), { mode: 0o600 })
    lists.push(await project.run({ args: ['ls-files', '--stage', '-v', '-z'], env: { GIT_INDEX_FILE: file } }).catch(() => null))
  }
  return lists[0] !== null && lists[0] === lists[1]
}
