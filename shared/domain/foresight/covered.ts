import type { Checkpoint } from '../../contract/schemas/checkpoint.ts'
import type { ContainedEffect } from './contained.ts'
import { isWithin } from './operands.ts'

/** As a walk of the folder names what it takes for made by a program. */
const MADE = 'dependencies or build output'

/** Why a checkpoint would not bring back all of an effect; null when it would. The paths are resolved: no symbolic link on the way. */
export const notCovered = ({ paths, trackedOnly }: Pick<ContainedEffect, 'paths' | 'trackedOnly'>, { root, extraRoots, leftOut, hasGit }: Checkpoint): string | null => {
  if (trackedOnly && !hasGit) return 'the checkpoint knows of no git repository here'
  const roots = [root, ...extraRoots]
  const outside = paths.find((path) => !roots.some((folder) => isWithin(path, folder)))
  if (outside !== undefined) return `${outside} is not in the checkpoint's folders`
  for (const { path, reason } of leftOut) {
    if (trackedOnly && reason === MADE) continue
    const full = path.startsWith('/') ? path : `${root}/${path}`
    if (paths.some((lost) => isWithin(full, lost) || isWithin(lost, full))) return `checkpoints leave out ${path}: ${reason}`
  }
  return null
}
