import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { emergencyKill } from '../../electron/emergency-kill.ts'
import { connectFrames } from '../../electron/host-process/frame-socket.ts'
import { findHost, killByProgram, unlockByProgram } from '../../electron/host-process/programs.ts'
import { createClient, type Client } from '../../shared/contract/client.ts'
import { aliveWith, PROVIDERS } from '../fixtures/containers.ts'

const programs = { node: process.execPath, folder: fileURLToPath(new URL('../../build/out/host', import.meta.url)) }
const missing = PROVIDERS.find(({ name }) => name === 'linux')?.missing ?? null

let folder: string
let project: string
let env: Record<string, string>
let viewer: ChildProcess
let client: Client
let hostPid: number
let marker: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hf-'))
  project = join(folder, 'project')
  await mkdir(project)
  await mkdir(join(folder, 'home'))
  env = { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: join(folder, 'home'), HOLDFAST_HOME: join(folder, 'h'), LANG: 'C.UTF-8' }
  marker = `100000.${process.pid}88`
  const found = await findHost(programs, env)
  client = createClient(await connectFrames(found.socketPath), { token: found.token, client: 'test' })
  await client.ready
  hostPid = (await client.call('host/info', {})).pid
  // In a file, so that the viewer, which lives on, does not bear the marker too.
  await writeFile(join(project, 'agent.sh'), `(setsid sleep ${marker} &); touch made-by-the-agent; exec sleep ${marker}`)
  viewer = spawn(process.execPath, [join(programs.folder, 'cli.mjs'), 'run', '--', 'sh', 'agent.sh'], { cwd: project, env, stdio: 'ignore' })
  await expect.poll(() => aliveWith(marker).length, { timeout: 30_000 }).toBeGreaterThanOrEqual(2)
  await expect.poll(() => existsSync(join(project, 'made-by-the-agent'))).toBe(true)
})
afterEach(async () => {
  client.close()
  viewer.kill('SIGKILL')
  try {
    process.kill(hostPid, 'SIGKILL')
  } catch {
    // A test has ended it.
  }
  await rm(folder, { recursive: true, force: true })
})

const kill = () => emergencyKill(client, 'all', () => killByProgram(programs, env, 'all', false))

describe.skipIf(missing !== null)(`the app's kill, in plain Node with a real host${missing === null ? '' : ` (missing: ${missing})`}`, () => {
  it('ends every session and puts its folder back through a host that answers', async () => {
    expect(await kill()).toMatchObject([{ survivors: [], restoreProblem: null }])
    expect(aliveWith(marker)).toEqual([])
    expect(existsSync(join(project, 'made-by-the-agent'))).toBe(false)
  })

  it.each(['SIGSTOP', 'SIGKILL'] as const)('does the same without a host after its %s', async (signal) => {
    process.kill(hostPid, signal)
    if (signal === 'SIGKILL') await client.closed
    expect(await kill()).toMatchObject([{ survivors: [], restoreProblem: null }])
    expect(aliveWith(marker)).toEqual([])
    expect(existsSync(join(project, 'made-by-the-agent'))).toBe(false)
  })

  it('has nothing to kill where nothing runs, and says no more', async () => {
    await kill()
    if (viewer.exitCode === null && viewer.signalCode === null) await once(viewer, 'exit')
    expect(await killByProgram(programs, env, 'all', false)).toEqual([])
  })

  it('with a lock lets nothing start, under whatever host, until it is unlocked', async () => {
    expect(await killByProgram(programs, env, 'all', true)).toMatchObject([{ survivors: [] }])
    const run = () => spawnSync(process.execPath, [join(programs.folder, 'cli.mjs'), 'run', '--', 'true'], { cwd: project, env, encoding: 'utf8' })
    expect(run().stderr).toContain('Holdfast is locked since its kill switch was held: nothing starts. Unlock it with: holdfast unlock')
    process.kill(hostPid, 'SIGKILL')
    await client.closed
    expect(run().status).toBe(1)
    await unlockByProgram(programs, env)
    expect(run().status).toBe(0)
    const found = await findHost(programs, env)
    client = createClient(await connectFrames(found.socketPath), { token: found.token, client: 'test' })
    hostPid = (await client.call('host/info', {})).pid
  })
})
