import { lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { CheckpointUsage } from '../../contract/schemas/checkpoint.ts'
import { projectKey, projectFolder } from './project.ts'
import type { CheckpointRecord } from './records.ts'

/** What a folder takes on disk; `shared` is in files that are linked from elsewhere too. */
export const folderUse = (folders: readonly string[]): Map<string, { bytes: number; sharedBytes: number }> => {
  const inodes = new Map<number, { folder: string; bytes: number; links: number; seen: number }>()
  const look = (folder: string, at: string): void => {
    for (const entry of readdirSync(at, { withFileTypes: true })) {
      const path = join(at, entry.name)
      const stat = lstatSync(path, { throwIfNoEntry: false })
      if (stat === undefined) continue
      const known = inodes.get(stat.ino)
      if (known === undefined || stat.isDirectory()) inodes.set(stat.ino, { folder, bytes: stat.blocks * 512, links: stat.isDirectory() ? 1 : stat.nlink, seen: 1 })
      else known.seen += 1
      if (stat.isDirectory()) look(folder, path)
    }
  }
  for (const folder of folders) look(folder, folder)
  const use = new Map(folders.map((folder) => [folder, { bytes: 0, sharedBytes: 0 }]))
  for (const { folder, bytes, links, seen } of inodes.values()) {
    const sum = use.get(folder)
    if (sum !== undefined) sum[links > seen ? 'sharedBytes' : 'bytes'] += bytes
  }
  return use
}

/** Disk use of every project that has checkpoints, in the order of their first one. */
export const measureUse = (storeFolder: string, records: readonly CheckpointRecord[]): CheckpointUsage[] => {
  const roots = new Map<string, { root: string; checkpoints: number }>()
  for (const { areas, shown } of records) {
    const folder = projectFolder(storeFolder, projectKey(areas))
    roots.set(folder, { root: shown.root, checkpoints: (roots.get(folder)?.checkpoints ?? 0) + 1 })
  }
  const use = folderUse([...roots.keys()])
  return [...roots].map(([folder, { root, checkpoints }]) => ({ root, checkpoints, ...(use.get(folder) ?? { bytes: 0, sharedBytes: 0 }) }))
}
