import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { buffer, text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { HoldfastError } from '../../shared/contract/errors.ts'
import { chooseContainer } from '../../shared/core/containers/choose.ts'
import { freezeByFile, killByFile } from '../../shared/core/containers/grip.ts'
import { KillFile } from '../../shared/core/containers/kill-file.ts'
import { isSameAlive } from '../../shared/core/containers/processes.ts'
import type { Container, ContainerProvider, ContainerSpec } from '../../shared/core/ports.ts'
import { aliveWith, makeScene, printed, PROVIDERS, runToEnd } from '../fixtures/containers.ts'

const HOST = fileURLToPath(new URL('../fixtures/container-host.ts', import.meta.url))
const scene = makeScene()
afterAll(() => rmSync(scene.folder, { recursive: true, force: true }))

const SIZE = { columns: 90, rows: 30 }
let markers = 0
const newMarker = (): string => `100000.${process.pid}${(markers += 1)}`

const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await delay(2)
}

/** Everything a terminal shows until it closes. */
const shownBy = async (container: Container): Promise<string> => {
  const chunks: Buffer[] = []
  container.terminal?.onData((chunk) => chunks.push(chunk))
  await container.exited
  return Buffer.concat(chunks).toString()
}

const readKillFile = (spec: ContainerSpec): KillFile => KillFile.parse(JSON.parse(readFileSync(spec.killFile, 'utf8')))

describe.each(PROVIDERS)('$name container', ({ name, provider, missing }) => {
  const held = test.skipIf(missing !== null)
  const launchSleepers = async (more: Partial<ContainerSpec> = {}) => {
    const marker = newMarker()
    const script = `(setsid sleep ${marker} & ) & echo up; exec sleep ${marker}`
    const spec = scene.spec(script, more)
    const container = await provider.launch(spec)
    await printed(container, 'up')
    await until(() => aliveWith(marker).length >= 2)
    return { container, spec, marker }
  }

  held('gives the command just the environment of the spec', async () => {
    const env = { PATH: '/usr/bin:/bin', HOME: '/home/agent', 'odd-name.x': '1', SPACED: ' a  b\n c' }
    const { stdout } = await runToEnd(provider, scene.spec('', { file: '/usr/bin/env', args: ['-0'], env }))
    const seen = stdout.split('\0').filter((entry) => entry !== '' && !entry.startsWith('PWD='))
    expect(seen.sort()).toEqual(Object.entries(env).map(([key, value]) => `${key}=${value}`).sort())
  })

  held('hands out all that was printed to a terminal, though its reader is slow and everything has long ended', async () => {
    const container = await provider.launch(scene.spec('printf begin; read go; i=0; while [ $i -lt 200 ]; do echo "line $i"; i=$((i+1)); done; printf done', { terminal: SIZE }))
    const terminal = container.terminal ?? expect.fail('has no terminal')
    let shown = ''
    terminal.onData((chunk) => {
      shown += chunk.toString()
      if (shown === 'begin') terminal.pause()
    })
    await until(() => shown === 'begin')
    terminal.write(Buffer.from('\n'))
    await container.exited
    expect((await container.kill()).survivors).toEqual([])
    terminal.resume()
    await terminal.closed
    expect(shown.endsWith('line 199\r\ndone')).toBe(true)
  })

  held('keeps standard input, output and error apart, and bytes as they are', async () => {
    const container = await provider.launch(scene.spec('cat; echo problem >&2; exit 7'))
    const { stdin, stdout, stderr } = container.pipes ?? expect.fail('has no pipes')
    const said = Promise.all([buffer(stdout), text(stderr)])
    stdin.end(Buffer.from([0, 255, 10, 13, 128]))
    expect(await container.exited).toEqual({ code: 7, signal: null })
    const [out, err] = await said
    expect([...out]).toEqual([0, 255, 10, 13, 128])
    expect(err).toBe('problem\n')
  })

  held('sends a signal to the command alone', async () => {
    const child = `sh -c 'trap "" USR1; echo up; exec sleep 60'`
    const script = `trap 'echo caught; exit 5' USR1; ${child} & while :; do wait; done`
    const container = await provider.launch(scene.spec(script))
    await printed(container, 'up')
    container.signal('SIGUSR1')
    expect(await container.exited).toEqual({ code: 5, signal: null })
    await container.kill()
  })

  held('hands on no file that the host has open but the three the command needs', async () => {
    const { stdout } = await runToEnd(provider, scene.spec('ls /proc/$$/fd'))
    expect(stdout.split('\n').filter(Boolean)).toEqual(['0', '1', '2'])
  })

  held('gives a terminal of the size asked for, and tells of a change', async () => {
    const script = `trap 'stty size; exit 3' WINCH; stty size; echo ready; while :; do sleep 0.01; done`
    const container = await provider.launch(scene.spec(script, { terminal: SIZE }))
    const shown = shownBy(container)
    await printed(container, 'ready')
    container.terminal?.resize({ columns: 100, rows: 40 })
    expect(await shown).toBe('30 90\r\nready\r\n40 100\r\n')
    expect(await container.exited).toEqual({ code: 3, signal: null })
  })

  held('lets Ctrl-C reach the foreground job, and the command go on', async () => {
    const marker = newMarker()
    const script = `trap 'echo interrupted' INT; echo ready; sleep ${marker}; echo on; exit 4`
    const container = await provider.launch(scene.spec(script, { terminal: SIZE }))
    const shown = shownBy(container)
    await printed(container, 'ready')
    await until(() => aliveWith(`sleep\0${marker}`).length > 0)
    container.terminal?.write(Buffer.from([3]))
    expect(await shown).toContain('interrupted\r\non\r\n')
    expect(await container.exited).toEqual({ code: 4, signal: null })
  })

  held('gives the shell in its terminal job control', async () => {
    const args = ['-c', 'set -m; sleep 60 & jobs; kill -STOP %1; wait %1; jobs; kill -KILL %1; echo end; exit 0']
    const container = await provider.launch(scene.spec('', { file: '/bin/bash', args, terminal: SIZE }))
    const shown = await shownBy(container)
    expect(shown).not.toMatch(/no job control|cannot set terminal/)
    expect(shown).toMatch(/Running[^]*Stopped[^]*end/)
  })

  held('runs nothing from the moment freeze resolves until thaw', async () => {
    const script = 'for i in 1 2 3; do (while :; do echo x >> "ticks$i"; done) & done; echo up; wait'
    const spec = scene.spec(`rm -f ticks*; ${script}`)
    const container = await provider.launch(spec)
    const { cgroup } = readKillFile(spec)
    await printed(container, 'up')
    const sizeOf = (file: string) => statSync(path.join(scene.project, file), { throwIfNoEntry: false })?.size ?? 0
    const sizes = () => ['ticks1', 'ticks2', 'ticks3'].map(sizeOf)
    await until(() => sizes().every((size) => size > 0))
    for (let round = 0; round < 3; round += 1) {
      await Promise.all([container.freeze(), container.freeze()])
      if (cgroup !== null) expect(readFileSync(path.join(cgroup, 'cgroup.events'), 'utf8')).toContain('frozen 1')
      const before = sizes()
      await delay(50)
      expect(sizes()).toEqual(before)
      await container.thaw()
      await until(() => sizes().every((size, i) => size > (before[i] ?? 0)))
    }
    await container.freeze()
    expect((await container.kill()).survivors).toEqual([])
  })

  held('knows its own processes, and no other', async () => {
    const { container, marker } = await launchSleepers()
    const other = await launchSleepers()
    const inside = await container.processes()
    expect(inside).toEqual(expect.arrayContaining(aliveWith(`sleep\0${marker}`)))
    for (const pid of inside) expect(await container.contains(pid)).toBe(true)
    for (const pid of [process.pid, ...(await other.container.processes())]) {
      expect(inside).not.toContain(pid)
      expect(await container.contains(pid)).toBe(false)
    }
    await container.kill()
    await other.container.kill()
  })

  held('is quiet after the end: freeze, thaw and kill do nothing, at once or twice', async () => {
    const { container, spec, marker } = await launchSleepers({ terminal: SIZE })
    const { freeze, thaw, kill } = container
    await Promise.all([freeze(), kill(), thaw(), kill(), killByFile(spec.killFile)])
    expect(aliveWith(marker)).toEqual([])
    await Promise.all([container.freeze(), container.thaw()])
    container.terminal?.write(Buffer.from('x'))
    container.terminal?.resize(SIZE)
    expect(await container.kill()).toMatchObject({ killed: 0, survivors: [] })
    expect(existsSync(spec.killFile)).toBe(false)
  })

  held('keeps a kill file for the user alone, and removes it once empty', async () => {
    const { container, spec } = await launchSleepers()
    expect(statSync(spec.killFile).mode & 0o777).toBe(0o600)
    expect(readKillFile(spec)).toMatchObject({ sessionId: spec.sessionId, cwd: scene.project, kind: provider.kind })
    await container.kill()
    expect(existsSync(spec.killFile)).toBe(false)

    const short = scene.spec('read line')
    const brief = await provider.launch(short)
    const { cgroup } = readKillFile(short)
    brief.pipes?.stdin.end('\n')
    await until(() => !existsSync(short.killFile) && !(cgroup !== null && existsSync(cgroup)))
  })

  held('is frozen and killed by its file alone', async () => {
    const { spec, marker, container } = await launchSleepers()
    await freezeByFile(spec.killFile)
    const proof = await killByFile(spec.killFile)
    expect(proof.survivors).toEqual([])
    expect(proof.killed).toBeGreaterThanOrEqual(2)
    expect(aliveWith(marker)).toEqual([])
    expect((await killByFile(spec.killFile)).survivors).toEqual([])
    await container.kill()
  })

  const launchByHost = async (marker: string, terminal: ContainerSpec['terminal']) => {
    const script = `(env -i setsid /bin/sleep ${marker} & ) & echo up; exec sleep ${marker}`
    const spec = scene.spec(script, { terminal })
    const host = spawn(process.execPath, [HOST], { stdio: ['pipe', 'pipe', 'inherit'] })
    host.stdin.end(JSON.stringify({ kind: name, spec }))
    await once(createInterface(host.stdout), 'line')
    await until(() => aliveWith(marker).length >= 2)
    return { host, spec, cgroup: readKillFile(spec).cgroup }
  }

  held('dies, daemons too, when its host is killed with SIGKILL', async () => {
    const marker = newMarker()
    for (const terminal of [null, SIZE]) {
      const { host, spec, cgroup } = await launchByHost(marker, terminal)
      host.kill('SIGKILL')
      await until(() => aliveWith(marker).length === 0)
      expect((await killByFile(spec.killFile)).survivors).toEqual([])
      expect(cgroup !== null && existsSync(cgroup)).toBe(false)
    }
  })

  held('is killed by its file while its host hangs', async () => {
    const marker = newMarker()
    const { host, spec, cgroup } = await launchByHost(marker, SIZE)
    host.kill('SIGSTOP')
    expect((await killByFile(spec.killFile)).survivors).toEqual([])
    expect(aliveWith(marker)).toEqual([])
    expect(cgroup !== null && existsSync(cgroup)).toBe(false)
    host.kill('SIGCONT')
    await once(host, 'exit')
    expect(existsSync(spec.killFile)).toBe(false)
  })

  held('says what is wrong when the command cannot start, and leaves nothing behind', async () => {
    const spec = scene.spec('', { file: '/bin/no-such-agent' })
    const ended = await provider.launch(spec).then(
      async (container) => (await container.exited).code,
      (error: { code: string }) => error.code,
    )
    expect(ended).toBe(provider.kind === 'linux' ? 127 : 'container-unavailable')
    await until(() => !existsSync(spec.killFile))
  })

  test.skipIf(missing !== null)('has its kill file before anything of the command can run, and starts nothing where it may not', async () => {
    const made = path.join(scene.project, 'made')
    const was: KillFile[] = []
    const spec = scene.spec(`touch ${made}; sleep 60`)
    const launching = provider.launch({
      ...spec,
      requireStart: () => {
        was.push(readKillFile(spec))
        throw new HoldfastError('illegal-state', 'all was killed meanwhile')
      },
    })
    await expect(launching).rejects.toThrow('all was killed meanwhile')
    expect(was.map(({ root }) => isSameAlive(root))).toEqual([false])
    expect([existsSync(made), existsSync(spec.killFile)]).toEqual([false, false])
  })
})

describe('a kill file', () => {
  const [usable] = PROVIDERS.filter(({ missing }) => missing === null)
  const withVictim = async (change: (content: KillFile) => unknown, check: (file: string) => Promise<void>) => {
    const spec = scene.spec('echo up; exec sleep 60')
    const container = await (usable as { provider: ContainerProvider }).provider.launch(spec)
    await printed(container, 'up')
    const bystander = spawn('sleep', ['60'])
    const file = path.join(scene.folder, 'changed.json')
    const stranger = { pid: bystander.pid ?? 0, startTime: 1 }
    writeFileSync(file, JSON.stringify(change({ ...readKillFile(spec), root: stranger })))
    await check(file)
    expect(bystander.signalCode).toBe(null)
    expect(bystander.kill('SIGKILL')).toBe(true)
    await container.kill()
  }
  const gone = test.skipIf(usable === undefined)

  gone('names no process by a bare id: another start time is another process', () =>
    withVictim(
      (content) => ({ ...content, cgroup: null, init: null }),
      async (file) => expect(await killByFile(file)).toMatchObject({ killed: 0, survivors: [] }),
    ),
  )

  gone('of another run of the machine kills nothing', () =>
    withVictim(
      (content) => ({ ...content, bootId: 'another' }),
      async (file) => expect(await killByFile(file)).toMatchObject({ killed: 0, survivors: [] }),
    ),
  )

  gone('that names another cgroup than its session’s own leaves that alone', () =>
    withVictim(
      (content) => ({ ...content, init: null, cgroup: path.dirname(content.cgroup ?? '/sys/fs/cgroup/x') }),
      async (file) => expect(await killByFile(file)).toMatchObject({ killed: 0, survivors: [] }),
    ),
  )

  gone('that is damaged is refused with its name', () =>
    withVictim(
      () => ({ pid: 1 }),
      async (file) => {
        await expect(killByFile(file)).rejects.toMatchObject({ code: 'illegal-state' })
      },
    ),
  )

  test('that does not exist is an ended session', async () => {
    expect(await killByFile(path.join(scene.folder, 'none.json'))).toEqual({ killed: 0, survivors: [], durationMs: 0 })
  })
})

describe('chooseContainer', () => {
  const fake = (kind: 'linux' | 'plain', problem: string | null) =>
    ({ kind, unavailable: async () => problem, launch: async () => Promise.reject(new Error('unused')) }) as const

  test('takes the contained one, and the other only at the word off', async () => {
    const both = { contained: fake('linux', null), uncontained: fake('plain', null) }
    expect(await chooseContainer('auto', both)).toEqual({ provider: both.contained, kind: 'linux' })
    expect(await chooseContainer('off', both)).toEqual({ provider: both.uncontained, kind: 'off' })
  })

  test('never falls back to one without walls: it names what is missing, and the flag that goes without', async () => {
    const choice = chooseContainer('auto', { contained: fake('linux', 'no bubblewrap'), uncontained: fake('plain', null) })
    await expect(choice).rejects.toMatchObject({
      code: 'container-unavailable',
      message: expect.stringMatching(/no bubblewrap.*--no-sandbox/) as string,
    })
  })

  test('off still needs what can be killed', async () => {
    const choice = chooseContainer('off', { contained: fake('linux', null), uncontained: fake('plain', 'no setsid') })
    await expect(choice).rejects.toMatchObject({ code: 'container-unavailable', message: expect.stringContaining('no setsid') as string })
  })
})
