import { lstatSync, readlinkSync, type Stats } from 'node:fs'
import path from 'node:path'
import { isWithin } from './mount-plan.ts'

/** As many links as the kernel follows on one way (path_resolution(7)). */
const MAX_LINKS = 40
const PROCESSES = '/proc'

const statOf = (file: string): Stats | undefined => {
  try {
    return lstatSync(file, { throwIfNoEntry: false })
  } catch {
    return undefined
  }
}

/** Where a link leads, as it says; null for what is none, or goes away meanwhile. */
const linkAt = (file: string): string | null => {
  if (statOf(file)?.isSymbolicLink() !== true) return null
  try {
    return readlinkSync(file)
  } catch {
    return null
  }
}

/**
 * Where an absolute path leads with every link on it followed, as far as it is there; a way through /proc leads each process
 * elsewhere, and ends there. null for a ring of links.
 */
export const leadsTo = (file: string): string | null => {
  const parts = path.normalize(file).split('/')
  let at = '/'
  let links = 0
  for (let part = parts.shift(); part !== undefined; part = parts.shift()) {
    const next = path.join(at, part)
    if (next === PROCESSES) return next
    const target = linkAt(next)
    if (target === null) {
      at = next
      continue
    }
    if ((links += 1) > MAX_LINKS) return null
    if (path.isAbsolute(target)) at = '/'
    parts.unshift(...target.split('/'))
  }
  return at
}

/** A link that is the same as before has the same key. */
export const keyOf = (link: string): string => `${link}\0${linkAt(link)}`

/**
 * Where a link leads when that is where an agent can keep a git repository that nobody watches: in its own home, as it
 * stands on the host, or among git's objects. A person who enters it, or whose prompt or editor asks git about it, would run
 * what that repository says. null for every other link, as one to a file.
 */
export const leadsOutOfSight = (link: string, homes: readonly string[], isInStore: (folder: string) => boolean): string | null => {
  const said = linkAt(link)
  if (said === null) return null
  const target = leadsTo(link)
  if (target === PROCESSES) return said
  if (target === null) return null
  const stat = statOf(target)
  const isOut = homes.some((home) => isWithin(target, home)) || isInStore(target)
  return isOut && (stat === undefined || stat.isDirectory()) ? target : null
}
