import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import koffi from 'koffi'
import { afterAll, describe, expect, test } from 'vitest'
import { createLinuxProvider } from '../../shared/core/containers/linux.ts'
import { seccompFilter } from '../../shared/core/containers/seccomp.ts'
import { findTool } from '../../shared/core/containers/tools.ts'
import { makeScene, runToEnd } from '../fixtures/containers.ts'

const provider = createLinuxProvider()
const missing = (await provider.unavailable()) ?? (findTool('python3') === null ? 'python3' : null) ?? (process.arch === 'x64' ? null : 'an x64 processor')

const PRELUDE = 'import ctypes, errno, mmap, socket, sys\nlibc = ctypes.CDLL(None, use_errno=True)\n'
/** Looks for a key of the login by name, and prints what it holds. */
const READ_KEY = `${PRELUDE}key = libc.syscall(250, 10, -3, b"user", b"holdfast-test-key", 0)
text = ctypes.create_string_buffer(64)
length = libc.syscall(250, 11, key, text, 64) if key > 0 else 0
print(text.raw[:length].decode() if key > 0 else errno.errorcode[ctypes.get_errno()])`
/** Makes a socket of a family by the calls of 32-bit programs: int 0x80 with eax 359. */
const SOCKET_32 = `${PRELUDE}
code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
code.write(bytes.fromhex("53" + sys.argv[1] + "31d2cd805bc3"))
result = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
print("made" if result >= 0 else errno.errorcode[-result])`

describe.skipIf(missing !== null)(`calls of the kernel that no namespace holds${missing === null ? '' : ` (missing: ${missing})`}`, () => {
  const scene = makeScene()
  afterAll(() => rmSync(scene.folder, { recursive: true, force: true }))
  const python = async (program: string, ...args: string[]): Promise<string> => {
    const { stdout, stderr } = await runToEnd(provider, { ...scene.spec(''), file: '/usr/bin/python3', args: ['-c', program, ...args] })
    return `${stdout}${stderr}`.trim()
  }
  const family = (number: number): string => `${PRELUDE}
try: socket.socket(${number}, socket.SOCK_STREAM); print("made")
except OSError as error: print(errno.errorcode[error.errno])`

  test('a key of the login, which any other program started there reads, is not read', async () => {
    const libc = koffi.load(null)
    const syscall = libc.func('long syscall(long number, ...)')
    // A session keyring of this process's own, so that the user's is not touched.
    syscall(250, 'int', 1, 'void *', null)
    expect(Number(syscall(248, 'str', 'user', 'str', 'holdfast-test-key', 'str', 'canary', 'size_t', 6, 'int', -3))).toBeGreaterThan(0)
    expect(execFileSync('/usr/bin/python3', ['-c', READ_KEY], { encoding: 'utf8' }).trim()).toBe('canary')
    expect(await python(READ_KEY)).toBe('ENOSYS')
  })

  test('no socket leads to the machine that this one is a guest of, nor is of another odd kind', async () => {
    for (const odd of [40, 38, 31, 17]) expect(await python(family(odd))).toBe('EAFNOSUPPORT')
    for (const usual of [1, 2, 10]) expect(await python(family(usual))).toBe('made')
  })

  test('nor by the calls of 32-bit programs, or io_uring', async () => {
    const made = 'b867010000bb28000000b901000000'
    const byOneForAll = 'b866000000bb01000000b900000000'
    for (const code of [made, byOneForAll]) expect(await python(SOCKET_32, code)).toMatch(/^(EAFNOSUPPORT|ENOSYS|)$/)
    expect(await python(`${PRELUDE}print(libc.syscall(425, 1, ctypes.create_string_buffer(120)), errno.errorcode[ctypes.get_errno()])`)).toBe('-1 ENOSYS')
    expect(await python(`${PRELUDE}print(libc.syscall(0x40000000 + 41, 40, 1, 0), errno.errorcode[ctypes.get_errno()])`)).toBe('-1 ENOSYS')
  })

  test('the container’s first process is held likewise, and keeps no file of the host’s open', async () => {
    const { stdout } = await runToEnd(provider, scene.spec('grep Seccomp: /proc/1/status /proc/self/status; ls /proc/self/fd; ls -l /proc/1/fd | grep -c -e socket: -e pipe:'))
    expect(stdout).toBe('/proc/1/status:Seccomp:\t2\n/proc/self/status:Seccomp:\t2\n0\n1\n2\n3\n3\n')
  })

  test('a processor that is not listed has no filter, and each listed one has one that fits', () => {
    expect(seccompFilter('s390x')).toBe(null)
    for (const processor of ['x64', 'arm64'] as const) expect((seccompFilter(processor)?.length ?? 1) % 8).toBe(0)
  })
})
