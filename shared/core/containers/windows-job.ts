import koffi from 'koffi'
import type { Limits } from './limits.ts'

/** winnt.h: JOBOBJECTINFOCLASS and JOB_OBJECT_LIMIT_*, PROCESS_* access rights. */
const BASIC_PROCESS_ID_LIST = 3
const EXTENDED_LIMIT_INFORMATION = 9
const LIMIT_ACTIVE_PROCESS = 0x8
const LIMIT_JOB_MEMORY = 0x200
const LIMIT_KILL_ON_JOB_CLOSE = 0x2000
const PROCESS_TERMINATE_AND_SET_QUOTA = 0x1 | 0x100
const PROCESS_SUSPEND_RESUME = 0x800

/** JOBOBJECT_EXTENDED_LIMIT_INFORMATION on 64-bit Windows: 144 bytes, LimitFlags at 16, ActiveProcessLimit at 40, JobMemoryLimit at 120. */
export const extendedLimits = ({ processes, memoryBytes }: Limits): Buffer => {
  const info = Buffer.alloc(144)
  info.writeUInt32LE(LIMIT_KILL_ON_JOB_CLOSE | LIMIT_ACTIVE_PROCESS | LIMIT_JOB_MEMORY, 16)
  info.writeUInt32LE(processes, 40)
  info.writeBigUInt64LE(BigInt(memoryBytes), 120)
  return info
}

/** JOBOBJECT_BASIC_PROCESS_ID_LIST on 64-bit Windows: two counts of 4 bytes, then ids of 8; null when it did not fit. */
export const parseProcessIds = (list: Buffer): number[] | null => {
  const [assigned, listed] = [list.readUInt32LE(0), list.readUInt32LE(4)]
  if (listed < assigned || 8 + listed * 8 > list.length) return null
  return Array.from({ length: listed }, (_, index) => Number(list.readBigUInt64LE(8 + index * 8)))
}

export interface Job {
  assign(pid: number): boolean
  /** Throws when Windows does not tell. */
  processes(): number[]
  suspend(pid: number): void
  resume(pid: number): void
  terminate(): void
  close(): void
}

/**
 * Not run on this platform yet: written against jobapi2.h and winternl.h as documented. What a process in the job starts is
 * in it too, and cannot leave (no breakaway is allowed); the last handle closed, also by a crash, ends them all.
 */
export const createJob = (limits: Limits): Job => {
  const kernel32 = koffi.load('kernel32.dll')
  const ntdll = koffi.load('ntdll.dll')
  const create = kernel32.func('void *CreateJobObjectW(void *attributes, const char16_t *name)')
  const set = kernel32.func('bool SetInformationJobObject(void *job, int kind, void *info, uint32_t length)')
  const query = kernel32.func('bool QueryInformationJobObject(void *job, int kind, _Out_ uint8_t *info, uint32_t length, void *returned)')
  const assign = kernel32.func('bool AssignProcessToJobObject(void *job, void *process)')
  const terminate = kernel32.func('bool TerminateJobObject(void *job, uint32_t code)')
  const open = kernel32.func('void *OpenProcess(uint32_t access, bool inherit, uint32_t pid)')
  const close = kernel32.func('bool CloseHandle(void *handle)')
  const suspend = ntdll.func('long NtSuspendProcess(void *process)')
  const resume = ntdll.func('long NtResumeProcess(void *process)')
  const job: unknown = create(null, null)
  if (job === null || !set(job, EXTENDED_LIMIT_INFORMATION, extendedLimits(limits), 144)) throw new Error('Windows made no job object')

  const withProcess = (access: number, pid: number, work: (handle: unknown) => boolean): boolean => {
    const handle: unknown = open(access, false, pid)
    if (handle === null) return false
    const done = work(handle)
    close(handle)
    return done
  }
  return {
    assign: (pid) => withProcess(PROCESS_TERMINATE_AND_SET_QUOTA, pid, (handle) => assign(job, handle) as boolean),
    processes: () => {
      for (let room = 1_024; room <= 65_536; room *= 4) {
        const list = Buffer.alloc(8 + room * 8)
        const told = query(job, BASIC_PROCESS_ID_LIST, list, list.length, null) as boolean
        const ids = told ? parseProcessIds(list) : null
        if (ids !== null) return ids
      }
      throw new Error('Windows did not list the processes of a job')
    },
    suspend: (pid) => void withProcess(PROCESS_SUSPEND_RESUME, pid, (handle) => suspend(handle) === 0),
    resume: (pid) => void withProcess(PROCESS_SUSPEND_RESUME, pid, (handle) => resume(handle) === 0),
    terminate: () => void terminate(job, 137),
    close: () => void close(job),
  }
}
