import koffi from 'koffi'

/** prctl(2): whether a core dump is made, and whether other processes of the user may trace this one. */
const PR_SET_DUMPABLE = 4

/** From now on this process leaves no core dump and cannot be traced by the user's other processes (Linux; elsewhere nothing). */
export const forbidCoreDumps = (): void => {
  if (process.platform !== 'linux') return
  const prctl = koffi.load(null).func('int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long)') as (...args: number[]) => number
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
}
