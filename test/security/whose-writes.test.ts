import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { release } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { CheckpointStore, Container } from '../../shared/core/ports.ts'
import { createLinuxProvider } from '../../shared/core/containers/linux.ts'
import { readProcesses } from '../../shared/core/containers/processes.ts'
import { createContainerWrites, type ContainerWrites } from '../../shared/core/containers/write-record.ts'
import { makeScene } from '../fixtures/containers.ts'
import { openStore, SESSION } from '../integration/checkpoint-fixture.ts'

const [major = 0, minor = 0] = release().split('.').map(Number)
const isRecording = process.getuid?.() === 0 && (major > 6 || (major === 6 && minor >= 5))
/** mmap and read. */
const CALLS = { x64: [9, 0], arm64: [222, 63] }[process.arch as string] ?? []
const missing = (await createLinuxProvider().unavailable()) ?? (isRecording ? null : 'root, on Linux 6.5 or newer')

let scene: ReturnType<typeof makeScene>
let writes: ContainerWrites
let container: Container
let store: CheckpointStore
let flood: string
let told: (string | null)[]

const file = (name: string): string => join(scene.project, name)
const open = (againMs?: number): void => {
  told = []
  writes = createContainerWrites((problem) => told.push(problem), againMs)
  store = openStore(join(scene.folder, 'store'), undefined, undefined, writes)
}
const launch = () => createLinuxProvider(undefined, undefined, writes).launch(scene.spec('exec sh', { writable: [scene.project, flood] }))
/** Has the shell in the container do something, and returns what it says. */
const tell = async (command: string): Promise<string> => {
  let said = ''
  const { stdin, stdout } = container.pipes ?? expect.unreachable()
  stdin.write(`${command}\necho ; echo done\n`)
  for await (const chunk of stdout.iterator({ destroyOnReturn: false })) {
    said += String(chunk)
    if (said.endsWith('\ndone\n')) return said.slice(0, -6).trim()
  }
  return expect.unreachable()
}
const recorder = (): number => readProcesses().find(({ pid, parent }) => parent === process.pid && readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('sysopen'))?.pid ?? expect.unreachable()

/** Says who changed what since the start, path by path. */
const start = async (): Promise<() => Promise<Record<string, string | null>>> => {
  const { id } = await store.create({ sessionId: SESSION, root: scene.project, reason: 'start' })
  const at = Date.now()
  // What was made within so many milliseconds of a look counts as made before it.
  await expect.poll(() => Date.now() - at, { interval: 20 }).toBeGreaterThan(30)
  return async () => Object.fromEntries((await store.diff({ sessionId: SESSION, from: id, to: null })).changes.map(({ path, by }) => [path, by]))
}

describe.skipIf(missing !== null)(`whose a change is, by what the kernel says a container wrote${missing === null ? '' : ` (missing: ${missing})`}`, () => {
  beforeEach(async () => {
    scene = makeScene()
    flood = join(scene.folder, 'flood')
    mkdirSync(flood)
    open()
    container = await launch()
  })
  afterEach(async () => {
    await container.kill()
    writes.close()
    rmSync(scene.folder, { recursive: true, force: true })
  })

  it('nothing that a session put in the place of a file is opened: a pipe or a device would notice', async () => {
    execFileSync('mkfifo', [file('pipe')])
    const { dev, ino } = statSync(file('pipe'))
    const writer = spawn('sh', ['-c', 'echo first > "$0"', file('pipe')], { stdio: 'ignore' })
    await expect.poll(() => readFileSync(`/proc/${writer.pid}/wchan`, 'latin1')).toMatch(/wait_for_partner|fifo/)
    const since = (await writes.cut()) ?? expect.unreachable()
    expect(await writes.unwritten(since, [{ path: file('pipe'), dev, ino }])).toEqual([])
    expect(execFileSync('cat', [file('pipe')], { encoding: 'utf8', timeout: 5_000 })).toBe('first\n')
  })

  it('what the user writes in place, over another file and anew is the user\'s while a command of the session computes and writes', async () => {
    for (const name of ['in-place', 'saved', 'agent', 'both']) writeFileSync(file(name), 'start\n')
    const changed = await start()
    await tell('(while :; do echo agent > agent; done) & echo agent > both')
    writeFileSync(file('in-place'), 'start, user\n')
    writeFileSync(file('.saved~'), 'user\n')
    renameSync(file('.saved~'), file('saved'))
    writeFileSync(file('made'), 'user\n')
    writeFileSync(file('both'), 'user\n')
    await tell('cat in-place saved made > read; grep -r user . > /dev/null')
    expect(await changed()).toEqual({ agent: 'session', both: 'session', 'in-place': 'other', made: 'other', read: 'session', saved: 'other' })
  })

  it('nothing that the session writes by a way round is taken for the user\'s', async () => {
    const names = ['mapped', 'held', 'closed', 'linked', 'under', 'moved', 'over', 'replaced', 'cut', 'longer', 'emptied', 'mode', 'rooted', 'reopened', 'old', 'gone', 'doubled', 'hollow']
    for (const name of names) writeFileSync(file(name), `${name} at the start\n`)
    await tell('exec 7>>held 8>>closed')
    const changed = await start()
    const map = `open F, "+<", "mapped"; my $at = syscall(${CALLS[0]}, 0, 4096, 3, 1, fileno F, 0); close F; pipe R, W; syswrite W, "agent"; syscall(${CALLS[1]}, fileno R, $at, 5); print "mapped\\n"; close STDOUT; sleep 1000`
    expect(await tell(`perl -e '${map}' > said & until grep -q mapped said; do :; done; echo agent >&7; echo agent >&8; exec 8>&-`)).toBe('')
    await tell('ln -f under linked; ln -f moved over; rm moved; echo agent > new; mv new replaced; mv old renamed; rm gone')
    await tell(`perl -e 'truncate "cut", 5; truncate "longer", 100; truncate "emptied", 0'; chmod +x mode`)
    await tell(`echo agent > /proc/self/root${scene.project}/rooted; exec 9<reopened; echo agent > /proc/self/fd/9; exec 9<&-`)
    for (const name of ['theirs', 'mode']) writeFileSync(file(name), 'user\n')
    await tell(`ln -f theirs doubled; perl -e 'sysopen F, "empty", 64; rename "empty", "hollow"'`)
    expect(await tell('unshare -Urm sh -c "echo agent > nested" 2>&1 || echo refused')).toContain('refused')
    const by = await changed()
    expect(Object.keys(by).sort()).toEqual([...names.filter((name) => name !== 'under'), 'renamed', 'said', 'theirs'].sort())
    expect(new Set(Object.values(by))).toEqual(new Set(['session']))
  })

  it('nothing is taken for the user\'s once more is written than the kernel can report, nor for what came before', async () => {
    const changed = await start()
    const stopped = recorder()
    process.kill(stopped, 'SIGSTOP')
    writeFileSync(file('user'), 'user\n')
    await tell(`cd ${flood}; i=0; while [ $i -lt 17000 ]; do : > $i; i=$((i + 1)); done`)
    process.kill(stopped, 'SIGCONT')
    expect(await changed()).toEqual({ user: 'session' })
    await tell('echo agent > /dev/null')
    writeFileSync(file('user'), 'user again\n')
    expect(await changed()).toEqual({ user: 'both' })
  })

  it('what the session writes in a mount that the machine got meanwhile is not taken for the user\'s', async () => {
    const mount = (...args: string[]) => execFileSync('mount', args)
    await container.kill()
    mount('-t', 'tmpfs', 'none', scene.project)
    mount('--make-shared', scene.project)
    writes.close()
    open()
    try {
      mkdirSync(file('later'))
      container = await launch()
      const changed = await start()
      mount('-t', 'tmpfs', 'none', file('later'))
      await tell('echo agent > later/agent')
      writeFileSync(file('user'), 'user\n')
      expect(readFileSync(file('later/agent'), 'utf8')).toBe('agent\n')
      expect(await changed()).toEqual({ 'later/agent': 'session', user: 'other' })
    } finally {
      await container.kill()
      execFileSync('umount', ['-R', scene.project])
    }
  })

  it.each(['SIGKILL', 'SIGSTOP'] as const)('nothing is taken for the user\'s once the record has ended, or answers no more (%s)', async (signal) => {
    const changed = await start()
    process.kill(recorder(), signal)
    writeFileSync(file('user'), 'user\n')
    expect(await changed()).toEqual({ user: 'session' })
    expect(told).toEqual([expect.stringContaining('counts as the session\'s: a revert takes it back too, and an undo brings it back')])
    expect(writes.problem()).toBe(told[0])
  })

  it('a record that has ended comes back, for a session that runs all the while, and takes nothing for the user\'s from before or of a file held open since', async () => {
    await container.kill()
    writes.close()
    open(20)
    container = await launch()
    for (const name of ['held', 'closed', 'between']) writeFileSync(file(name), 'start\n')
    const changed = await start()
    await tell('exec 7>>held 8>>closed')
    process.kill(recorder(), 'SIGKILL')
    await expect.poll(() => told).toEqual([expect.stringContaining('has failed'), null])
    writeFileSync(file('before'), 'user\n')
    await tell('echo agent > between')
    expect(await changed()).toEqual({ before: 'session', between: 'session' })
    const at = Date.now()
    await expect.poll(() => Date.now() - at, { interval: 20 }).toBeGreaterThan(30)
    await tell('echo agent >&7; echo agent >&8; exec 8>&-; echo agent > new')
    writeFileSync(file('after'), 'user\n')
    expect(await changed()).toEqual({ before: 'session', between: 'session', held: 'session', closed: 'session', new: 'session', after: 'other' })
    expect(writes.problem()).toBe(null)
  })

  it('a session that nothing records is told of when another is held, and not as long as none is', async () => {
    const alone: (string | null)[] = []
    const others = createContainerWrites((problem) => alone.push(problem))
    others.miss()
    expect(alone).toEqual([])
    expect(others.problem()).toContain('Not all that sessions write can be recorded')
    writes.miss()
    expect(told).toEqual([others.problem()])
    expect(await writes.cut()).toBe(null)
  })
})
