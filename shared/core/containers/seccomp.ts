/** AUDIT_ARCH_* of linux/audit.h, and numbers of calls in each ABI that a machine of the kind runs. */
interface Abi {
  readonly arch: number
  /** add_key, request_key, keyctl, io_uring_setup. */
  readonly refused: readonly number[]
  readonly socket: number
  /** Where one call stands for all that sockets can do, and hides their family behind a pointer. */
  readonly socketcall?: number
  /** From this number on the calls of another ABI begin (x32). */
  readonly foreignFrom?: number
}
const ABIS: Readonly<Partial<Record<NodeJS.Architecture, readonly Abi[]>>> = {
  x64: [
    { arch: 0xc000_003e, refused: [248, 249, 250, 425], socket: 41, foreignFrom: 0x4000_0000 },
    { arch: 0x4000_0003, refused: [286, 287, 288, 425], socket: 359, socketcall: 102 },
  ],
  arm64: [
    { arch: 0xc000_00b7, refused: [217, 218, 219, 425], socket: 198 },
    { arch: 0x4000_0028, refused: [309, 310, 311, 425], socket: 281 },
  ],
}
/** AF_UNIX, AF_INET, AF_INET6 and AF_NETLINK: those that namespaces hold. */
const FAMILIES = [1, 2, 10, 16]
const SYS_SOCKET = 1

/** linux/bpf_common.h and linux/seccomp.h; `struct seccomp_data` has the number at 0, the ABI at 4, the first argument at 16. */
const LOAD = 0x20
const JUMP_EQUAL = 0x15
const JUMP_FROM = 0x35
const RETURN = 0x06
const [NUMBER_AT, ARCH_AT, ARGUMENT_AT] = [0, 4, 16]
const ALLOW = 0x7fff_0000
const ENOSYS = 0x5_0000 | 38
const EAFNOSUPPORT = 0x5_0000 | 97

/** `struct sock_filter`: what to do, how far to jump when a test holds or not, and a value. */
type Instruction = readonly [code: number, whenTrue: number, whenFalse: number, value: number]
const load = (offset: number): Instruction => [LOAD, 0, 0, offset]
const answer = (value: number): Instruction => [RETURN, 0, 0, value]
const when = (value: number, then: readonly Instruction[], test = JUMP_EQUAL): readonly Instruction[] => [[test, 0, then.length, value], ...then]

const rulesOf = ({ refused, socket, socketcall, foreignFrom }: Abi): readonly Instruction[] => [
  load(NUMBER_AT),
  ...(foreignFrom === undefined ? [] : when(foreignFrom, [answer(ENOSYS)], JUMP_FROM)),
  ...refused.flatMap((call) => when(call, [answer(ENOSYS)])),
  ...(socketcall === undefined ? [] : when(socketcall, [load(ARGUMENT_AT), ...when(SYS_SOCKET, [answer(ENOSYS)]), answer(ALLOW)])),
  ...when(socket, [load(ARGUMENT_AT), ...FAMILIES.flatMap((family) => when(family, [answer(ALLOW)])), answer(EAFNOSUPPORT)]),
  answer(ALLOW),
]

/**
 * A seccomp filter (seccomp(2)), as bubblewrap takes it, against what namespaces do not hold: sockets to the machine that
 * this one is a guest of (AF_VSOCK) and of other odd kinds, the kernel's keyring, which a login hands down to all that it
 * starts, and io_uring, which makes sockets that no filter sees. A 32-bit program that makes sockets by `socketcall` makes
 * none. null for a processor whose calls are not listed here.
 */
export const seccompFilter = (processor: NodeJS.Architecture = process.arch): Buffer | null => {
  const abis = ABIS[processor]
  if (abis === undefined) return null
  const program = [load(ARCH_AT), ...abis.flatMap((abi) => when(abi.arch, rulesOf(abi))), answer(ENOSYS)]
  const bytes = Buffer.alloc(program.length * 8)
  program.forEach(([code, whenTrue, whenFalse, value], index) => {
    bytes.writeUInt16LE(code, index * 8)
    bytes.writeUInt8(whenTrue, index * 8 + 2)
    bytes.writeUInt8(whenFalse, index * 8 + 3)
    bytes.writeUInt32LE(value, index * 8 + 4)
  })
  return bytes
}
