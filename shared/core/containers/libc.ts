import { closeSync } from 'node:fs'
import koffi from 'koffi'

/** The few calls of Linux's C library that Node does not offer. Numbers: include/uapi/linux and asm-generic. */
const load = () => {
  const library = koffi.load(null)
  return {
    prctl: library.func('int prctl(int option, ulong a, ulong b, ulong c, ulong d)'),
    ioctl: library.func('int ioctl(int fd, ulong request, ...)'),
    syscall: library.func('long syscall(long number, ...)'),
    waitpid: library.func('int waitpid(int pid, void *status, int options)'),
  }
}
let loaded: ReturnType<typeof load> | undefined
/** Loaded at the first use: other platforms have some of them not at all. */
const libc = () => (loaded ??= load())

const PR_SET_CHILD_SUBREAPER = 36
const PR_SET_NO_NEW_PRIVS = 38
const TIOCSWINSZ = 0x5414
const TIOCSPTLCK = 0x40045431
const TIOCGPTPEER = 0x5441
const SYS_PIDFD_OPEN = 434
const SYS_CLOSE_RANGE = 436
const SYS_PIDFD_GETFD = 438
const CLOSE_RANGE_CLOEXEC = 4
const WNOHANG = 1

const check = (result: number, what: string): number => {
  if (result < 0) throw new Error(`${what} failed with errno ${koffi.errno()}`)
  return result
}

/** Orphans among the descendants come to this process from now on, not to the machine's first. */
export const becomeSubreaper = (): void => {
  check(libc().prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 'prctl(PR_SET_CHILD_SUBREAPER)')
}

/** Nothing started from here gains rights by a set-user-id file: what cannot be killed by us cannot begin. */
export const forbidNewPrivileges = (): void => {
  check(libc().prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 'prctl(PR_SET_NO_NEW_PRIVS)')
}

/**
 * Marks every open file of this process above standard error as not for children; those that `spawn` is told to
 * hand on still are. Without it an agent would inherit whatever this process was itself started with.
 * On Linux before 5.11 it does nothing.
 */
export const sealDescriptors = (): void => {
  libc().syscall(SYS_CLOSE_RANGE, 'uint', 3, 'uint', 0xffff_ffff, 'uint', CLOSE_RANGE_CLOEXEC)
}

/** A descriptor of this process for what is open in another, which it may trace; not for children. Linux 5.6, pidfd_getfd(2). */
export const takeDescriptor = (pid: number, descriptor: number): number => {
  const holder = check(Number(libc().syscall(SYS_PIDFD_OPEN, 'int', pid, 'uint', 0)), 'pidfd_open')
  try {
    return check(Number(libc().syscall(SYS_PIDFD_GETFD, 'int', holder, 'int', descriptor, 'uint', 0)), 'pidfd_getfd')
  } finally {
    closeSync(holder)
  }
}

/** Buries a child that has ended. For adopted ones only: Node waits for those it spawned. */
export const reap = (pid: number): void => {
  libc().waitpid(pid, null, WNOHANG)
}

/** Unlocks the other end of a pty and opens it by its own number, whatever is mounted at /dev/pts. */
export const openPtyPeer = (master: number, flags: number): number => {
  check(libc().ioctl(master, TIOCSPTLCK, 'int *', [0]), 'TIOCSPTLCK')
  return check(libc().ioctl(master, TIOCGPTPEER, 'int', flags), 'TIOCGPTPEER')
}

export const setWindowSize = (fd: number, columns: number, rows: number): void => {
  check(libc().ioctl(fd, TIOCSWINSZ, 'uint16_t *', [rows, columns, 0, 0]), 'TIOCSWINSZ')
}
