import { spawn, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findHost } from '../../electron/host-process/programs.ts'
import { readEndpoint } from '../../shared/core/transports/endpoint-file.ts'
import { isOlder } from '../../shared/host/cli/hand-over.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const programs = { node: process.execPath, folder: join(ROOT, 'build/out/host') }

let folder: string
let env: Record<string, string>
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hf-'))
  env = { PATH: '/usr/bin:/bin', HOME: folder, HOLDFAST_HOME: join(folder, 'h'), LANG: 'C.UTF-8' }
  mkdirSync(join(folder, 'project'))
})
afterEach(async () => {
  const found = await readEndpoint(join(folder, 'h/run'))
  if (found !== null) process.kill(found.pid, 'SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

/** The programs as an earlier release had them: the same but for what they say of themselves. */
const earlier = (change: (text: string) => string): string => {
  const host = join(folder, 'earlier', 'host')
  cpSync(programs.folder, host, { recursive: true })
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'earlier', 'node_modules'))
  for (const name of ['cli-main', 'host-main']) {
    const file = join(host, `${name}.mjs`)
    const text = readFileSync(file, 'utf8')
    if (change(text) === text) throw new Error(`${name} has no such text`)
    writeFileSync(file, change(text))
  }
  return join(host, 'cli.mjs')
}
const older = (text: string): string => text.replace(/(VERSION\d* ?= ?)"0\.1\.0"/, '$1"0.0.9"')
const unspoken = (text: string): string => older(text).replace(/(PROTOCOL_VERSION ?= ?)2/, '$11')
const holdfast = (cli: string, ...args: string[]) => spawnSync(process.execPath, [cli, ...args], { env, cwd: join(folder, 'project'), encoding: 'utf8' })
const running = async (): Promise<number | undefined> => (await readEndpoint(join(folder, 'h/run')))?.pid
const versionNow = (): string => (JSON.parse(holdfast(join(programs.folder, 'cli.mjs'), 'up', '--json').stdout) as { version: string }).version

describe('a host from before an update', () => {
  it.each([['of an older version', older], ['of an older protocol', unspoken]])('%s hands over to one of the app’s version while it is idle', async (_what, change) => {
    expect(holdfast(earlier(change), 'up').status).toBe(0)
    const before = await running()
    await findHost(programs, env)
    expect(await running()).not.toBe(before)
    expect(versionNow()).toBe('0.1.0')
  })

  it('goes on while it holds a session, and serves the app meanwhile', async () => {
    const session = spawn(process.execPath, [earlier(older), 'run', '--no-sandbox', '--', 'sh', '-c', 'echo up; exec sleep 300'], { env, cwd: join(folder, 'project'), stdio: ['ignore', 'pipe', 'ignore'] })
    await new Promise((resolve) => session.stdout.once('data', resolve))
    const before = await running()
    await findHost(programs, env)
    expect(await running()).toBe(before)
    expect(versionNow()).toBe('0.0.9')
    session.kill('SIGKILL')
  })

  it('is known by its three numbers', () => {
    expect([isOlder('0.1.0', '0.1.0'), isOlder('0.0.9', '0.1.0'), isOlder('0.10.0', '0.9.9'), isOlder('1.0.0-rc.1', '1.0.0'), isOlder('1.2.3', '2.0.0')]).toEqual([false, true, false, false, true])
  })
})
