import path from 'node:path'

/** One thing shown inside, or kept from it. */
export interface Mount {
  readonly access: 'read-write' | 'read-only' | 'none'
  /** Path on the host. */
  readonly source: string
  /** Path inside. */
  readonly target: string
}

/** Whether `file` is `folder` or lies in it. Both absolute and normal. */
export const isWithin = (file: string, folder: string): boolean =>
  file === folder || file.startsWith(folder === '/' ? '/' : `${folder}/`)

const STRICTNESS = { 'read-write': 0, 'read-only': 1, none: 2 } as const
const depthOf = (mount: Mount): number => mount.target.split('/').length

/**
 * In the order to mount them: outer before inner, so that the inner holds; what is hidden last, so that it covers
 * whatever was shown in it. For one target only the strictest stays.
 */
export const orderMounts = (mounts: readonly Mount[]): Mount[] => {
  const strictest = new Map<string, Mount>()
  for (const mount of mounts) {
    const other = strictest.get(mount.target)
    if (other === undefined || STRICTNESS[mount.access] > STRICTNESS[other.access]) strictest.set(mount.target, mount)
  }
  const last = (mount: Mount): number => Number(mount.access === 'none')
  return [...strictest.values()].sort((a, b) => last(a) - last(b) || depthOf(a) - depthOf(b))
}

/** The innermost mount that a path inside lies in, itself left out. */
export const holderOf = (mounts: readonly Mount[], target: string): Mount | undefined =>
  mounts
    .filter((mount) => mount.target !== target && isWithin(target, mount.target))
    .sort((a, b) => depthOf(b) - depthOf(a))[0]

/**
 * Without what a read-only folder shows anyway: such a mount may lie at a link in there, and would then be made where the
 * link leads, which may not be shown yet.
 */
export const withoutRepeated = (mounts: readonly Mount[]): Mount[] =>
  mounts.filter((mount) => {
    const holder = holderOf(mounts, mount.target)
    const isRepeated = mount.access === 'read-only' && holder?.access === 'read-only' && path.join(holder.source, path.relative(holder.target, mount.target)) === mount.source
    return !isRepeated
  })

/** Every place inside where a file of the host shows, unless something else is mounted over it there. */
export const placesOf = (mounts: readonly Mount[], hostPath: string): string[] =>
  mounts.flatMap((mount) => {
    if (!isWithin(hostPath, mount.source)) return []
    const target = path.join(mount.target, path.relative(mount.source, hostPath))
    return target === mount.target || holderOf(mounts, target) === mount ? [target] : []
  })

/**
 * A protected path inside a writable folder holds only while its parents stay in place: `mv .git old` would make room
 * for another `.git/hooks`. Each folder between the two is therefore mounted onto itself, as writable as it was: the
 * kernel refuses to move or remove a mount point.
 */
export const findFences = (mounts: readonly Mount[]): Mount[] =>
  mounts.flatMap((kept) => {
    const holder = holderOf(mounts, kept.target)
    if (kept.access === 'read-write' || holder?.access !== 'read-write') return []
    const between = path.dirname(path.relative(holder.target, kept.target)).split('/').filter((part) => part !== '.')
    return between.map((_, index): Mount => {
      const inside = between.slice(0, index + 1).join('/')
      const [source, target] = [path.join(holder.source, inside), path.join(holder.target, inside)]
      return { access: 'read-write', source, target }
    })
  })
