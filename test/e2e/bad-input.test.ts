import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { createScriptedWorld } from '../support/script.ts'
import { missingForEndToEnd, type World } from '../support/world.ts'

const missing = missingForEndToEnd()
const isRoot = process.getuid?.() === 0

let world: World | null = null
const mounts: string[] = []
afterEach(async () => {
  for (const mount of mounts.splice(0)) spawnSync('umount', [mount])
  await world?.end()
  world = null
})

const enter = async (): Promise<World> => (world = await createScriptedWorld(() => []))

/** A start that was refused leaves no session's folder, kill file or running session. */
const expectNothingLeft = async (here: World): Promise<void> => {
  for (const folder of ['s', 'kill']) {
    const path = join(here.holdfastHome, 'run', folder)
    if (existsSync(path)) expect(readdirSync(path), folder).toEqual([])
  }
  expect(JSON.parse((await here.holdfast(['sessions', '--json'])).stdout)).toEqual({ sessions: [] })
}

describe.skipIf(missing !== null)(`bad input${missing === null ? '' : ` (missing: ${missing})`}`, () => {
  it('a missing agent is named, with what to do, and nothing is left behind', async () => {
    const here = await enter()
    const result = await here.holdfast(['run', '--', 'no-such-agent'])
    expect(result).toMatchObject({ code: 1, stdout: '' })
    expect(result.stderr).toContain('no program "no-such-agent"')
    const claude = await here.holdfast(['run', '--', 'claude'], { env: { PATH: '/usr/bin:/bin' } })
    expect(claude.code).toBe(1)
    expect(claude.stderr).toContain('Claude Code is not installed')
    await expectNothingLeft(here)
  })

  it('a folder that is none is a usage error that names it', async () => {
    const here = await enter()
    const absent = await here.holdfast(['run', '--cwd', '/no/such/folder', '--', 'true'])
    expect(absent).toMatchObject({ code: 2 })
    expect(absent.stderr).toContain('/no/such/folder')
    const file = await here.holdfast(['run', '--cwd', join(here.project, 'README.md'), '--', 'true'])
    expect(file.code).toBe(2)
    expect(file.stderr).toContain('is not a folder')
    await expectNothingLeft(here)
  })

  it('a folder that holds Holdfast\'s own files is refused', async () => {
    const here = await enter()
    const result = await here.holdfast(['run', '--cwd', here.folder, '--', 'true'])
    expect(result.code).toBe(3)
    expect(result.stderr).toContain("Holdfast's own files")
  })

  it('a broken holdfast.yaml is named by file, line and field', async () => {
    const here = await enter()
    writeFileSync(join(here.project, 'holdfast.yaml'), 'agent: tester\nlimits:\n  spendUsd: lots\n')
    const result = await here.holdfast(['run', '--', 'true'])
    expect(result.code).toBe(2)
    expect(result.stderr).toContain('holdfast.yaml:3')
    expect(result.stderr).toContain('spendUsd')
    writeFileSync(join(here.project, 'holdfast.yaml'), 'agent: [\n')
    expect((await here.holdfast(['run', '--json', '--', 'true'])).stdout).toContain('"profile-invalid"')
    await expectNothingLeft(here)
  })

  it('commands that start a host at once share one', async () => {
    const here = await enter()
    await here.holdfast(['down'])
    const started = await Promise.all(Array.from({ length: 5 }, () => here.holdfast(['up', '--json'])))
    expect(started.map(({ code }) => code)).toEqual([0, 0, 0, 0, 0])
    const pids = new Set(started.map(({ stdout }) => (JSON.parse(stdout) as { pid: number }).pid))
    expect(pids.size).toBe(1)
  })

  it('unknown commands, options and ids are usage errors without a stack trace', async () => {
    const here = await enter()
    const wrong = [
      ...[['nonsense'], ['kill'], ['kill', 'ses_1'], ['run'], ['undo', 'x'], ['approvals', 'x'], ['approve', 'apr_zzz'], ['ledger', 'tail', '-n', 'many']],
      ...[['sessions', '--bogus'], ['checkpoint', 'restore', 'ses_1', 'chk_1'], ['up', '--shell', 'gtk']],
    ]
    const results = await Promise.all(wrong.map(async (args) => ({ args, ...(await here.holdfast(args)) })))
    for (const { args, code, stderr } of results) {
      expect({ args, code }).toEqual({ args, code: 2 })
      expect(stderr).not.toMatch(/\n\s+at /)
    }
  })

  it.skipIf(!isRoot)('a full disk is said in words, with the folder, and the session does not start', async () => {
    const here = await enter()
    await here.holdfast(['down'])
    const small = join(here.folder, 'small')
    mkdirSync(small, { mode: 0o700 })
    expect(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256k,mode=0700', 'tmpfs', small]).status).toBe(0)
    mounts.push(small)
    spawnSync('dd', ['if=/dev/zero', `of=${join(small, 'fill')}`, 'bs=4k'])
    const result = await here.holdfast(['run', '--', 'true'], { env: { HOLDFAST_HOME: join(small, 'h') } })
    expect(result.code).toBe(1)
    expect(result.stderr).toMatch(/is full\. Free some space/)
    expect(result.stderr).toContain(small)
    expect(spawnSync('umount', [small]).status, 'nothing holds the full disk any more').toBe(0)
    mounts.length = 0
    expect(result.stderr).not.toMatch(/\n\s+at /)
  })

  it.skipIf(!isRoot)('a home that cannot be written is said in words, with what to set instead', async () => {
    const here = await enter()
    const readOnly = join(here.folder, 'ro')
    mkdirSync(readOnly)
    expect(spawnSync('mount', ['-t', 'tmpfs', '-o', 'ro', 'tmpfs', readOnly]).status).toBe(0)
    mounts.push(readOnly)
    const result = await here.holdfast(['run', '--', 'true'], { env: { HOLDFAST_HOME: join(readOnly, 'h') } })
    expect(result.code).toBe(1)
    expect(result.stderr).toContain('HOLDFAST_HOME')
    expect(result.stderr).toContain(readOnly)
  })
})
