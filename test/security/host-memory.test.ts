import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'

const HOST_MAIN = fileURLToPath(new URL('../../shared/host/host-main.ts', import.meta.url))
const isRoot = process.getuid?.() === 0
/** An ordinary user: root may read every process. */
const ORDINARY = isRoot ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : ['env']

const folder = mkdtempSync(join(tmpdir(), 'hf-memory-'))
if (isRoot) chownSync(folder, 65534, 65534)
chmodSync(folder, 0o700)
afterAll(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))

const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: folder, HOLDFAST_HOME: join(folder, 'h') }

/** Started as an ordinary user who lets every core be dumped; says what became of it, a core included, when it has ended. */
const start = (...command: string[]): { child: ChildProcess; said: () => string } => {
  const [file = '', ...args] = [...ORDINARY, 'bash', '-c', 'ulimit -c unlimited; cd "$HOME"; "$@" & echo "pid $!"; wait $!', 'bash', ...command]
  const child = spawn(file, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString('utf8')))
  return { child, said: () => said }
}

/** What another process of the same user reads of it: its environment and memory. */
const readAsUser = (pid: number): boolean[] =>
  ['environ', 'maps'].map((name) => {
    const [file = '', ...args] = [...ORDINARY, 'cat', `/proc/${pid}/${name}`]
    const { status, stdout } = spawnSync(file, args, { env, encoding: 'utf8' })
    return status === 0 && stdout.length > 0
  })

const end = async ({ child, said }: ReturnType<typeof start>): Promise<string> => {
  const pid = Number(/pid (\d+)/.exec(said())?.[1])
  const closed = once(child, 'close')
  process.kill(pid, 'SIGABRT')
  await closed
  return said()
}

const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 50))
}

const reads = (file: string): string => {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

describe.skipIf(process.platform !== 'linux')('the memory of the host, where the key is,', () => {
  test('is read by no other process of the user, and left in no core dump', { timeout: 60_000 }, async () => {
    const dumps = reads('/proc/sys/kernel/core_pattern').trim() === 'core'
    const other = start('sleep', '60')
    await until(() => other.said().includes('pid'))
    const otherPid = Number(/pid (\d+)/.exec(other.said())?.[1])
    await until(() => reads(`/proc/${otherPid}/comm`).startsWith('sleep'))
    // Of any other process both are there, or this test would prove nothing.
    expect(readAsUser(otherPid)).toEqual([true, true])
    expect((await end(other)).includes('core dumped')).toBe(dumps)

    const host = start(process.execPath, HOST_MAIN)
    await until(() => reads(join(folder, 'h', 'run', 'endpoint.json')) !== '' || host.child.exitCode !== null)
    const pid = Number(/pid (\d+)/.exec(host.said())?.[1])
    expect(readAsUser(pid)).toEqual([false, false])
    const said = await end(host)
    expect(said).toMatch(/Aborted/)
    expect(said).not.toContain('core dumped')
  })
})
