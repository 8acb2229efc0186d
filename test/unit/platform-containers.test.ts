import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { containersFor } from '../../shared/core/containers/choose.ts'
import { hasOwnPidMax } from '../../shared/core/containers/limits.ts'
import { parsePs } from '../../shared/core/containers/proc-parse.ts'
import { seatbeltProfile } from '../../shared/core/containers/seatbelt-profile.ts'
import { extendedLimits, parseProcessIds } from '../../shared/core/containers/windows-job.ts'
import { examineContainer } from '../../shared/core/doctor/machine.ts'

describe('the container of each platform', () => {
  test('is chosen by platform, and refuses to run on another', async () => {
    const kinds = (['linux', 'darwin', 'win32'] as const).map((platform) => {
      const { contained, uncontained } = containersFor(platform)
      return [contained.kind, uncontained.kind]
    })
    expect(kinds).toEqual([['linux', 'plain'], ['macos', 'macos'], ['windows', 'windows']])
    for (const platform of ['darwin', 'win32'] as const) {
      if (platform === process.platform) continue
      for (const provider of Object.values(containersFor(platform))) expect(await provider.unavailable()).not.toBe(null)
    }
  })

  test('on Windows none has walls, so only the word off gets one', async () => {
    expect(await containersFor('win32').contained.unavailable()).toBe('There is no container with walls for Windows yet.')
  })

  test.skipIf(process.platform !== 'linux')('doctor does not say that one of another platform works', async () => {
    expect((await examineContainer('darwin')).state).toBe('fail')
    expect((await examineContainer('win32')).state).toBe('fail')
  })
})

describe('a Seatbelt profile', () => {
  const profile = seatbeltProfile({ writable: ['/Users/u/project'], readable: ['/Users/u/project/.git/hooks'], hidden: ['/Users/u/project/secret'], home: '/Users/u/agents/a/home' })
  const at = (line: string): number => profile.split('\n').findIndex((one) => one.includes(line))

  test('is closed by default, and the stricter of two rules comes later, where it wins', () => {
    expect(profile.split('\n').slice(0, 2)).toEqual(['(version 1)', '(deny default)'])
    expect(at('(allow file-read* file-write* (subpath "/Users/u/project") (subpath "/Users/u/agents/a/home")')).toBeGreaterThan(0)
    expect(at('(deny file-write* (subpath "/Users/u/project/.git/hooks"))')).toBeGreaterThan(at('(allow file-read* file-write*'))
    expect(at('(deny file-read* file-write* (subpath "/Users/u/project/secret"))')).toBeGreaterThan(at('(deny file-write*'))
  })

  test('names no service that gives out keys, and no folder of users', () => {
    expect(profile).not.toContain('SecurityServer')
    expect(profile).not.toContain('securityd')
    expect(profile).not.toMatch(/subpath "\/(Users|private|var|tmp)?"/)
  })

  test('takes no path for a rule', () => {
    const odd = seatbeltProfile({ writable: ['/a") (allow default) ("\\'], readable: [], hidden: [], home: '/h' })
    expect(odd).toContain(String.raw`(subpath "/a\") (allow default) (\"\\")`)
    expect(() => seatbeltProfile({ writable: ['/a\n(allow default)'], readable: [], hidden: [], home: '/h' })).toThrow('control characters')
  })
})

describe('what ps prints', () => {
  test('names a process by id and start time', () => {
    expect(parsePs('  123     1 Ss   Mon Nov 23 13:04:31 2026    \n 4 123 T+ Mon Nov 23 13:04:32 2026\nnonsense\n')).toEqual([
      { pid: 123, parent: 1, state: 'S', startTime: Date.parse('Mon Nov 23 13:04:31 2026') / 1000 },
      { pid: 4, parent: 123, state: 'T', startTime: Date.parse('Mon Nov 23 13:04:32 2026') / 1000 },
    ])
  })

  test.skipIf(process.platform === 'win32')('is read from the real one', () => {
    const all = parsePs(execFileSync('ps', ['-axo', 'pid=,ppid=,stat=,lstart='], { env: { ...process.env, LC_ALL: 'C' }, encoding: 'utf8' }))
    expect(all.find(({ pid }) => pid === process.pid)).toMatchObject({ parent: process.ppid })
  })
})

describe('a Windows job', () => {
  test('ends everything when its last handle closes, and limits how many processes it holds', () => {
    const info = extendedLimits({ processes: 4096, memoryBytes: 8_589_934_592 })
    expect(info.length).toBe(144)
    expect(info.readUInt32LE(16)).toBe(0x2208)
    expect(info.readUInt32LE(40)).toBe(4096)
    expect(info.readBigUInt64LE(120)).toBe(8_589_934_592n)
  })

  test('tells its processes, and asks again where there was no room for all', () => {
    const list = Buffer.alloc(8 + 2 * 8)
    list.writeUInt32LE(2, 0)
    list.writeUInt32LE(2, 4)
    list.writeBigUInt64LE(1234n, 8)
    list.writeBigUInt64LE(5678n, 16)
    expect(parseProcessIds(list)).toEqual([1234, 5678])
    list.writeUInt32LE(3, 0)
    expect(parseProcessIds(list)).toBe(null)
  })
})

test('a kernel is asked for a pid_max of a namespace’s own from 6.14 on, never before', () => {
  expect(['6.14.0', '6.18.44-fc-v669', '7.0.1'].map(hasOwnPidMax)).toEqual([true, true, true])
  expect(['6.13.9', '5.15.0-generic', 'odd'].map(hasOwnPidMax)).toEqual([false, false, false])
})
