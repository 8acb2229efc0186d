import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { CheckpointId, SessionId } from '../../contract/ids.ts'
import { planRetention } from '../../domain/checkpoint-retention.ts'
import type { CheckpointLimits } from '../ports.ts'
import { dropDiffsBefore } from './changes.ts'
import { folderUse } from './disk-use.ts'
import { realPath } from './layout.ts'
import type { ObjectLists } from './object-mirror.ts'
import { projectFolder, projectKey, type Project } from './project.ts'
import type { CheckpointRecord, Records } from './records.ts'
import { keepLooksFrom } from './timeline.ts'

interface Retention {
  readonly limits: CheckpointLimits
  readonly isLive: (sessionId: SessionId) => boolean
  readonly now: number
}

/** The limits that the newest session of a project brought, or those for all. */
const limitsOf = (records: readonly CheckpointRecord[], { limits }: Retention): CheckpointLimits =>
  records.filter((record) => record.limits !== undefined).toSorted((a, b) => a.shown.takenAt - b.shown.takenAt).at(-1)?.limits ?? limits

const planOf = (records: readonly CheckpointRecord[], retention: Retention) =>
  planRetention({ checkpoints: records.map(({ shown }) => shown), now: retention.now, maxAgeMs: limitsOf(records, retention).maxAgeMs, isLive: retention.isLive })

const bytesIn = (folder: string): number => folderUse([folder]).get(folder)?.bytes ?? 0

/** The records of each project in which something is to go. */
export const overLimits = (storeFolder: string, records: readonly CheckpointRecord[], retention: Retention): CheckpointRecord[][] =>
  [...Map.groupBy(records, ({ areas }) => projectKey(areas))].flatMap(([key, some]) => {
    const { expired, spare } = planOf(some, retention)
    const { maxBytes } = limitsOf(some, retention)
    const isTooLarge = spare.length > 0 && maxBytes !== Infinity && bytesIn(projectFolder(storeFolder, key)) > maxBytes
    return expired.length > 0 || isTooLarge ? [some] : []
  })

/**
 * Removes of one project what is older than the limit, and then the oldest until what is left fits in the bytes. A
 * project with an unfinished restore is left alone. Returns what it removed.
 */
export const prune = async (params: Retention & { readonly records: Records; readonly project: Project }): Promise<CheckpointId[]> => {
  const { records, project } = params
  if (records.journal(project.folder) !== null) return []
  const all = records.all().filter(({ areas }) => project.folder.endsWith(projectKey(areas)))
  const plan = planOf(all, params)
  const { maxBytes } = limitsOf(all, params)
  const left = new Map(all.map((record) => [record.shown.id, record]))
  const removed: CheckpointId[] = []
  const remove = (id: CheckpointId): void => {
    const record = left.get(id)
    if (record === undefined) return
    records.remove(record.shown.sessionId, id)
    left.delete(id)
    removed.push(id)
  }
  plan.expired.forEach(remove)
  if (plan.expired.length > 0) await collect(project, [...left.values()])
  for (const id of maxBytes === Infinity ? [] : plan.spare) {
    if (bytesIn(project.folder) <= maxBytes) break
    remove(id)
    await collect(project, [...left.values()])
  }
  return removed
}

/** Frees what no record speaks of any more. Removed records are gone by then: interrupted, it is only done later. */
const collect = async (project: Project, records: readonly CheckpointRecord[]): Promise<void> => {
  if (records.length === 0) return project.remove()
  dropDiffsBefore(project, Math.min(...records.map(({ shown }) => shown.takenAt)))
  const looks = await keepLooksFrom(project, Math.min(...records.map(({ moment }) => moment)))
  // The next look is compared with the last one.
  const last = looks.slice(-1)
  const manifests = new Set([...records.flatMap(({ extras, objects }) => [extras, objects]), ...last.map(({ extras }) => extras)])
  for (const name of readdirSync(join(project.folder, 'manifests'))) {
    if (!manifests.has(name.replace(/\.json$/, ''))) rmSync(join(project.folder, 'manifests', name))
  }
  project.forget()
  await keepOnly(project, new Set([...records, ...last].map(({ tree }) => tree)))
  project.mirror.keepOnly(
    records.flatMap(({ areas, objects }) =>
      Object.entries(project.manifest<ObjectLists>(objects)).map(([stored, files]) => ({ stored, real: realPath(areas, stored), files })),
    ),
  )
}

const REF = 'refs/kept/'

/** Packs what the trees reach, and drops the rest. */
const keepOnly = async (project: Project, trees: ReadonlySet<string>): Promise<void> => {
  const had = (await project.run({ args: ['for-each-ref', '--format=%(refname)', REF] })).split('\n').filter((name) => name !== '')
  const gone = had.filter((name) => !trees.has(name.slice(REF.length))).map((name) => `delete ${name}\n`)
  const input = [...[...trees].map((tree) => `update ${REF}${tree} ${tree}\n`), ...gone].join('')
  await project.run({ args: ['update-ref', '--stdin'], input })
  const env = project.withMirror()
  await project.run({ args: ['repack', '-a', '-d', '-l', '-q'], env })
  await project.run({ args: ['prune', '--expire=now'], env })
}
