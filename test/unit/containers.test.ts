import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  findFences,
  holderOf,
  isWithin,
  orderMounts,
  placesOf,
  withoutRepeated,
  type Mount,
} from '../../shared/core/containers/mount-plan.ts'
import {
  descendantsOf,
  parseCgroupEvent,
  parseCgroupMounts,
  parseCgroupPath,
  parseStat,
} from '../../shared/core/containers/proc-parse.ts'

const STAT = '77 (a (b) c) S 12 77 77 0 -1 4194560 1 0 0 0 3 1 0 0 20 0 1 0 9001 2560000 199 18446744073709551615 1 1'

describe('parseStat', () => {
  test('reads id, state, parent and start time past a name with spaces and brackets', () => {
    expect(parseStat(STAT)).toEqual({ pid: 77, state: 'S', parent: 12, startTime: 9001 })
  })

  test('finds them whatever a process calls itself', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 15 }), (name) => {
        const stat = parseStat(STAT.replace('a (b) c', () => name))
        expect(stat).toEqual({ pid: 77, state: 'S', parent: 12, startTime: 9001 })
      }),
    )
  })

  test('takes nothing else for one', () => {
    const others = ['', 'x', '77 (a', '77 (a) S', '0 (a) S 1 2', ') (', STAT.replace('9001', 'x')]
    expect(others.map(parseStat)).toEqual(others.map(() => null))
    fc.assert(fc.property(fc.string(), (text) => void parseStat(text)))
  })
})

describe('cgroup files', () => {
  test('a cgroup2 mount is found by its type, wherever it is, with spaces in its name', () => {
    const mountinfo = [
      '31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755',
      '39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids',
      '41 31 0:38 /user /sys/fs/cgroup/uni\\040fied rw shared:4 master:2 - cgroup2 cgroup2 rw',
    ].join('\n')
    expect(parseCgroupMounts(mountinfo)).toEqual([{ root: '/user', mountPoint: '/sys/fs/cgroup/uni fied' }])
  })

  test('the v2 path is the line 0::, beside v1 lines', () => {
    expect(parseCgroupPath('9:name=systemd:/a\n0::/user.slice/b c\n')).toBe('/user.slice/b c')
    expect(parseCgroupPath('9:name=systemd:/\n')).toBe(null)
  })

  test('an event is set only by its own line', () => {
    expect(parseCgroupEvent('populated 1\nfrozen 0\n', 'populated')).toBe(true)
    expect(parseCgroupEvent('populated 1\nfrozen 0\n', 'frozen')).toBe(false)
  })
})

describe('descendantsOf', () => {
  const at = (pid: number, parent: number) => ({ pid, parent, state: 'S', startTime: 1 })

  test('finds every generation, and no neighbour', () => {
    const processes = [at(9, 8), at(2, 1), at(8, 2), at(7, 1), at(3, 2), at(10, 7)]
    expect(descendantsOf(processes, new Set([2])).map(({ pid }) => pid).sort((a, b) => a - b)).toEqual([3, 8, 9])
  })

  test('ends on a picture that loops, as one taken while ids are reused can', () => {
    expect(descendantsOf([at(3, 2), at(2, 3)], new Set([2])).map(({ pid }) => pid)).toEqual([3])
  })
})

describe('the mount plan', () => {
  const mount = (access: Mount['access'], target: string, source = target): Mount => ({ access, source, target })
  const targets = (mounts: readonly Mount[]) => mounts.map((one) => `${one.access} ${one.target}`)

  test('a path lies in a folder by whole names', () => {
    expect(isWithin('/a/b', '/a')).toBe(true)
    expect(isWithin('/ab', '/a')).toBe(false)
    expect(isWithin('/a', '/')).toBe(true)
  })

  test('mounts outer before inner, what is hidden last', () => {
    const plan = orderMounts([mount('none', '/a'), mount('read-only', '/a/b/c'), mount('read-write', '/a/b')])
    expect(targets(plan)).toEqual(['read-write /a/b', 'read-only /a/b/c', 'none /a'])
  })

  test('keeps the strictest of two for one path, in any order', () => {
    const both = [mount('read-write', '/a'), mount('read-only', '/a')]
    expect(targets(orderMounts(both))).toEqual(['read-only /a'])
    expect(targets(orderMounts(both.toReversed()))).toEqual(['read-only /a'])
  })

  test('holds every folder between a writable one and what is protected in it, where it comes from', () => {
    const plan = [mount('read-write', '/home/agent', '/data/home'), mount('read-only', '/home/agent/x/y/z')]
    expect(findFences(plan)).toEqual([
      mount('read-write', '/home/agent/x', '/data/home/x'),
      mount('read-write', '/home/agent/x/y', '/data/home/x/y'),
    ])
    expect(findFences([mount('read-write', '/a'), mount('none', '/a/b')])).toEqual([])
    expect(findFences([mount('read-only', '/a'), mount('none', '/a/b/c')])).toEqual([])
  })

  test('leaves out what a read-only folder shows anyway, and keeps what is read-only in a writable one', () => {
    const kept = [mount('read-only', '/tools/bin'), mount('read-write', '/project'), mount('read-only', '/project/.git'), mount('read-only', '/tools/bin/other', '/elsewhere/other')]
    expect(withoutRepeated([...kept, mount('read-only', '/tools/bin/agent')])).toEqual(kept)
  })

  test('finds where a file of the host shows, also under another name, and not where something covers it', () => {
    const plan = [mount('read-write', '/home/u', '/data/home'), mount('read-write', '/home/u/project')]
    expect(placesOf(plan, '/home/u/project/.env')).toEqual(['/home/u/project/.env'])
    expect(placesOf(plan, '/data/home/.ssh')).toEqual(['/home/u/.ssh'])
    expect(placesOf(plan, '/data/home/project/x')).toEqual([])
    expect(placesOf(plan, '/home/u/.ssh')).toEqual([])
    expect(holderOf(plan, '/home/u/project')?.source).toBe('/data/home')
  })
})
