import { spawn } from 'node:child_process'
import { accessSync, chownSync, constants, mkdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { DEFAULT_LIMITS, hasOwnPidMax, type Limits } from '../../shared/core/containers/limits.ts'
import { createLinuxProvider } from '../../shared/core/containers/linux.ts'
import { asHost, makeScene, printed, runToEnd } from '../fixtures/containers.ts'

const HOST = fileURLToPath(new URL('../fixtures/container-host.ts', import.meta.url))
const PROCESSES = 400
const MEGABYTE = 1024 * 1024
const limits: Limits = { processes: PROCESSES, memoryBytes: 64 * MEGABYTE }
/** Without a cgroup: what holds where none is to be had holds everywhere. */
const provider = createLinuxProvider(() => null, limits)
const missing = await provider.unavailable()
const isRoot = process.getuid?.() === 0
const BIRTHS = 'echo up; while :; do sleep 60 & echo born >> births; done'

/** Where a test may limit the memory of processes of its own: cgroup v1, as root. */
const memoryCgroup = ((): string | null => {
  try {
    const own = /^\d+:memory:(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1]
    if (own === undefined) return null
    const folder = path.join('/sys/fs/cgroup/memory', own)
    accessSync(folder, constants.W_OK)
    return folder
  } catch {
    return null
  }
})()

const removed = (folder: string): boolean => {
  try {
    rmdirSync(folder)
    return true
  } catch {
    return false
  }
}

describe.skipIf(missing !== null)('what a session may use of the machine', () => {
  const scene = makeScene()
  const inside = (script: string) => runToEnd(provider, scene.spec(script))
  afterAll(() => rmSync(scene.folder, { recursive: true, force: true }))

  const births = (folder = scene.project) => readFileSync(path.join(folder, 'births'), 'utf8').trim().split('\n').length

  test.skipIf(isRoot && !hasOwnPidMax())('it cannot use up the process ids: the next one is refused, inside', async () => {
    await inside(BIRTHS)
    expect(births()).toBeGreaterThan(PROCESSES / 2)
    expect(births()).toBeLessThan(PROCESSES)
  })

  test.skipIf(!isRoot)('nor can that of an ordinary user', async () => {
    const own = makeScene()
    for (const folder of [own.folder, own.project, own.home]) chownSync(folder, 65534, 65534)
    await asHost([process.execPath, HOST], { uid: 65534, gid: 65534 }, { kind: 'linux without cgroup', spec: own.spec(BIRTHS), limits })
    expect(births(own.project)).toBeGreaterThan(PROCESSES / 2)
    expect(births(own.project)).toBeLessThan(PROCESSES)
    rmSync(own.folder, { recursive: true })
  })

  // In Perl, which goes on where a shell that cannot fork ends. At a low priority, so that the bomb is held by the limit under
  // test and other tests still get a turn.
  test.skipIf(isRoot && !hasOwnPidMax())('a fork bomb stays inside, and is killed with the rest', async () => {
    const container = await provider.launch(scene.spec('renice -n 10 $$ > /dev/null; echo up; exec perl -e "fork while 1"'))
    await printed(container, 'up')
    let most = 0
    for (let look = 0; look < 20 || most <= 10; look += 1) {
      most = Math.max(most, (await container.processes()).length)
      await delay(10)
    }
    expect(most).toBeLessThanOrEqual(PROCESSES)
    expect((await container.kill()).survivors).toEqual([])
    expect(await container.processes()).toEqual([])
  })

  test('the limit on processes is one that Claude Code, node and a build never meet', () => {
    expect(DEFAULT_LIMITS.processes).toBe(4_096)
  })

  test.skipIf(memoryCgroup === null)('a memory hog is what ends when memory does, and not the host or another program of the user', async () => {
    const folder = path.join(memoryCgroup ?? '', `holdfast-test-${process.pid}`)
    mkdirSync(folder)
    writeFileSync(path.join(folder, 'memory.limit_in_bytes'), String(300 * MEGABYTE))
    const join = `echo $$ > ${folder}/cgroup.procs`
    const bystander = spawn('/bin/sh', ['-c', `${join}; exec sleep 60`], { stdio: 'ignore' })
    try {
      const spec = scene.spec('echo up; tail /dev/zero; exit 42')
      const ended = await asHost(['/bin/sh', '-c', `${join}; exec ${process.execPath} ${HOST}`], {}, { kind: 'linux without cgroup', spec })
      expect(ended).toBe('{"code":42,"signal":null}')
      expect(bystander.signalCode).toBe(null)
    } finally {
      const gone = new Promise((resolve) => bystander.once('exit', resolve))
      bystander.kill('SIGKILL')
      await gone
      // What ended in it may still be on its way out.
      while (!removed(folder)) await delay(5)
    }
  })

  test('it is first in line where the machine runs out of memory', async () => {
    expect((await inside('cat /proc/self/oom_score_adj')).stdout).toBe('1000\n')
  })

  test('it cannot fill the memory with temporary files', async () => {
    const fill = (file: string) => `if head -c 17M /dev/zero > ${file}; then echo got through: ${file}; else rm ${file}; fi 2>/dev/null`
    const { stdout } = await inside(['/tmp/x', '/var/tmp/x', '/dev/shm/x'].map(fill).join('\n'))
    expect(stdout).toBe('')
    const others = ['/x', '/dev/x', '/run/x', '/home/x'].map((file) => `touch ${file} 2>/dev/null && echo got through: ${file}`)
    expect((await inside(`${others.join('; ')}; echo tried`)).stdout).toBe('tried\n')
  })

  test('temporary folders, shared memory and terminals work as programs expect', async () => {
    const { stdout, stderr } = await inside('echo a > /tmp/a; echo b > /var/tmp/b; echo c > /dev/shm/c; cat /tmp/a /var/tmp/b /dev/shm/c; stat -c %a /tmp /dev/shm; echo x > /dev/null; script -qc "echo in a terminal" /dev/null')
    expect(stderr).toBe('')
    expect(stdout).toBe('a\nb\nc\n1777\n1777\nin a terminal\r\n')
  })
})
