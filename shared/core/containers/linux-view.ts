import { lstatSync, mkdirSync, readdirSync, readlinkSync, realpathSync, statSync } from 'node:fs'
import path from 'node:path'
import { HoldfastError } from '../../contract/errors.ts'
import type { ContainerSpec } from '../ports.ts'
import { findFences, holderOf, isWithin, orderMounts, placesOf, withoutRepeated, type Mount } from './mount-plan.ts'

export const SYSTEM_FOLDERS = ['/usr', '/etc', '/opt', '/nix', '/snap', '/run/current-system']
/** Folders on some systems, links into /usr on others. */
export const MERGED_FOLDERS = ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32']
/** Where a root agent could read what the system keeps from everyone else. */
const FOLDERS_WITH_SECRETS = ['/etc', '/etc/ssh', '/etc/ssl']
export const NOT_MOUNTABLE = ['/proc', '/dev', '/sys']

const kindOf = (file: string): 'folder' | 'file' | 'link' | null => {
  try {
    const stat = lstatSync(file)
    return stat.isSymbolicLink() ? 'link' : stat.isDirectory() ? 'folder' : 'file'
  } catch {
    return null
  }
}

/** `/etc/resolv.conf` points into /run on most systems: the file it means is shown where the first link leads. */
const nameResolution = (): string[] => {
  try {
    const target = path.resolve('/etc', readlinkSync('/etc/resolv.conf'))
    const shown = SYSTEM_FOLDERS.some((folder) => isWithin(target, folder))
    return shown ? [] : ['--ro-bind', realpathSync('/etc/resolv.conf'), target]
  } catch {
    return []
  }
}

const privateSystemFiles = (): string[] =>
  process.getuid?.() !== 0
    ? []
    : FOLDERS_WITH_SECRETS.filter((folder) => kindOf(folder) === 'folder').flatMap((folder) =>
        readdirSync(folder)
          .map((name) => path.join(folder, name))
          .filter((file) => kindOf(file) !== 'link' && (statSync(file).mode & 0o004) === 0),
      )

/** Temporary folders lie in memory: each gets a share of what the session may use, the system default being half the machine's. */
const temporary = (folder: string, memoryBytes: number | null): string[] => [
  ...(memoryBytes === null ? [] : ['--size', String(Math.floor(memoryBytes / 4))]),
  ...['--perms', '1777', '--tmpfs', folder],
]

/**
 * Where the kernel asks for no capability of root, only for its id, which is root's inside as well: `core_pattern` there names
 * a program that runs outside every container.
 */
const KERNEL_SETTINGS = ['/proc/sys', '/proc/sysrq-trigger', '/proc/irq', '/proc/bus', '/proc/fs', '/proc/acpi', '/proc/scsi', '/proc/driver']

const systemArguments = (memoryBytes: number | null): string[] => [
  ...SYSTEM_FOLDERS.flatMap((folder) => ['--ro-bind-try', folder, folder]),
  ...MERGED_FOLDERS.flatMap((folder) =>
    kindOf(folder) === 'link' ? ['--symlink', readlinkSync(folder), folder] : ['--ro-bind-try', folder, folder],
  ),
  ...['--proc', '/proc', '--dev', '/dev'],
  ...(process.getuid?.() === 0 ? KERNEL_SETTINGS.flatMap((place) => ['--ro-bind-try', place, place]) : []),
  ...['/tmp', '/var/tmp', '/dev/shm'].flatMap((folder) => temporary(folder, memoryBytes)),
  ...['--dir', '/run', '--symlink', '../run', '/var/run'],
  ...nameResolution(),
]

const refuse = (message: string): never => {
  throw new HoldfastError('container-unavailable', message)
}

/** A mount at a link lands where the link leads, and the agent could then replace the link: so none is followed. */
const refuseLinks = (mounts: readonly Mount[]): void => {
  for (const mount of mounts) {
    const holder = holderOf(mounts, mount.target)
    if (holder?.access !== 'read-write') continue
    let at = holder.source
    for (const part of path.relative(holder.target, mount.target).split('/')) {
      at = path.join(at, part)
      if (kindOf(at) === 'link') {
        refuse(`${at} is a symbolic link, so it cannot be kept from the agent. Replace it by what it points to.`)
      }
    }
  }
}

/**
 * What the agent sees, as arguments of bubblewrap: closed by default. System folders read-only; empty /tmp; a minimal
 * /dev; a /proc with the container's own processes; its own home; what the spec lists. Everything else does not exist
 * inside: the user's home, /run/user with the session bus, keyring and ssh-agent, /sys with the cgroup tree.
 *
 * Of two entries the deeper wins, for one path read-only wins, and what lies in `hidden` is not shown, whatever lists
 * it, but for the agent's own home. Listed paths that do not exist are skipped. `memoryBytes` is what temporary files may
 * fill, together; null where bubblewrap cannot limit that.
 * Throws HoldfastError `container-unavailable` for what cannot be kept.
 */
export const viewArguments = (spec: ContainerSpec, memoryBytes: number | null): string[] => {
  for (const file of [...spec.writable, ...spec.readable]) {
    if (NOT_MOUNTABLE.some((folder) => isWithin(file, folder) || isWithin(folder, file))) {
      refuse(`${file} cannot be shown to an agent: it would open the system to it.`)
    }
  }
  const show = (access: Mount['access'], files: readonly string[]): Mount[] =>
    files
      .filter((file) => kindOf(file) !== null && !spec.hidden.some((folder) => isWithin(file, folder)))
      .map((file) => ({ access, source: file, target: file }))
  const shown = withoutRepeated([
    { access: 'read-write', source: spec.home, target: spec.homeAt },
    ...show('read-write', spec.writable),
    ...show('read-only', spec.readable),
  ])
  const visible = [...show('read-only', SYSTEM_FOLDERS), ...shown]
  const hidden = [...spec.hidden, ...privateSystemFiles()]
    .filter((file) => kindOf(file) !== null)
    .flatMap((file) => placesOf(visible, file).map((target): Mount => ({ access: 'none', source: file, target })))
  const wanted = [...shown, ...hidden]
  refuseLinks(wanted)
  const fences = findFences(wanted)
  // What the user keeps below their home (`~/.local/bin`) shows in the agent's own, which has no such folder at first.
  for (const { source } of fences) if (isWithin(source, spec.home)) mkdirSync(source, { recursive: true })
  return [
    ...systemArguments(memoryBytes),
    ...orderMounts([...wanted, ...fences]).flatMap(mountArguments),
    // What is left of the two file systems that bubblewrap makes in memory, without what is mounted in them.
    ...['--remount-ro', '/dev', '--remount-ro', '/'],
  ]
}

const mountArguments = ({ access, source, target }: Mount): string[] => {
  if (access === 'read-write') return ['--bind', source, target]
  if (access === 'read-only') return ['--ro-bind', source, target]
  // /dev/null on a mount without devices: opening it is refused.
  return kindOf(source) === 'folder' ? ['--tmpfs', target, '--remount-ro', target] : ['--ro-bind', '/dev/null', target]
}
