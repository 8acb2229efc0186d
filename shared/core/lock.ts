import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { HoldfastError } from '../contract/errors.ts'
import type { Paths } from './paths.ts'

/** From now on no session starts, whichever host runs, until the user unlocks. Needs no host. */
export const lock = (paths: Paths): void => {
  mkdirSync(dirname(paths.lock), { recursive: true, mode: 0o700 })
  writeFileSync(paths.lock, '', { mode: 0o600 })
}

export const unlock = (paths: Paths): void => rmSync(paths.lock, { force: true })

/** Throws HoldfastError `illegal-state` while Holdfast is locked. */
export const refuseWhileLocked = (paths: Paths): void => {
  if (existsSync(paths.lock)) throw new HoldfastError('illegal-state', 'Holdfast is locked since its kill switch was held: nothing starts. Unlock it with: holdfast unlock')
}
