import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it, onTestFinished } from 'vitest'
import { bash, createScriptedWorld, toolResults } from '../support/script.ts'
import { missingForEndToEnd, type World } from '../support/world.ts'

const missing = missingForEndToEnd()

let world: World | null = null
afterEach(async () => {
  await world?.end()
  world = null
})

const enter = async (turns: Parameters<typeof createScriptedWorld>[0] = () => []): Promise<World> => (world = await createScriptedWorld(turns))

/** A program that leaves a mark when it runs, and says that it is a Claude Code new enough. */
const plant = (folder: string, name: string, mark: string): void => {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, name), `#!/bin/sh\ntouch ${mark}\necho '2.1.330 (Claude Code)'\n`)
  chmodSync(join(folder, name), 0o755)
}

const sessionsOf = async (here: World) =>
  (JSON.parse((await here.holdfast(['sessions', '--json'])).stdout) as { sessions: { container: string }[] }).sessions

const entriesOf = async (here: World) =>
  (await here.holdfast(['ledger', 'tail', '-n', '50', '--json'])).stdout.trim().split('\n').map((line) => JSON.parse(line) as { kind: string; body: Record<string, unknown> })

describe.skipIf(missing !== null)(`how an agent is started${missing === null ? '' : ` (missing: ${missing})`}`, () => {
  it('runs no program outside the container that lies where the agent may write', async () => {
    const here = await enter()
    const mark = join(here.folder, 'planted-ran')
    plant(join(here.project, 'bin'), 'claude', mark)
    plant(join(here.project, 'bin'), 'node', mark)
    plant(join(here.folder, 'beside'), 'claude', mark)
    const path = (...folders: string[]) => ({ env: { PATH: [...folders, here.environment['PATH']].join(':') } })
    const print = ['claude', '-p', 'Do it.']

    const passedOver = await here.holdfast(['run', '--profile', 'test', '--', ...print], path('bin', '.', join(here.project, 'bin')))
    expect(passedOver).toMatchObject({ code: 0, stdout: 'Done.\n' })
    const byPath = await here.holdfast(['run', '--profile', 'test', '--', './bin/claude', '-p', 'Do it.'])
    expect(byPath.code).toBe(3)
    expect(byPath.stderr).toContain('where the agent itself may write')
    symlinkSync(join(here.project, 'bin', 'claude'), join(here.home, 'claude'))
    const byLink = await here.holdfast(['run', '--profile', 'test', '--', ...print], path(here.home))
    expect(byLink.code).toBe(3)
    const added = await here.holdfast(['run', '--profile', 'test', '--', ...print, '--add-dir', '../beside'], path(join(here.folder, 'beside')))
    expect(added).toMatchObject({ code: 0, stdout: 'Done.\n' })
    const refusedFlag = await here.holdfast(['run', '--profile', 'test', '--', join(here.folder, 'beside', 'claude'), '--bare'])
    expect(refusedFlag.code).toBe(3)
    expect(existsSync(mark)).toBe(false)
  })

  it('lets settings of the agent’s own move PATH and BASH_ENV inside alone: nothing of it runs outside the container', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'hf-mark-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    const outside = join(folder, 'ran')
    const evil = (project: string) => join(project, 'evil')
    const write = (project: string) => {
      const settings = JSON.stringify({ env: { PATH: `${evil(project)}:/usr/bin:/bin`, BASH_ENV: join(evil(project), 'git'), ENV: join(evil(project), 'git') } })
      const names = ['git', 'node', 'sh', 'bwrap', 'setpriv', 'prlimit', 'perl', 'nsenter', 'setsid', 'claude', 'npm']
      return [
        `mkdir -p evil .claude node_modules/.bin; printf '#!/bin/bash\ntouch ${outside}; PATH=/usr/bin:/bin; touch ${project}/inside; echo fake\n' > evil/git; chmod +x evil/git`,
        ...names.slice(1).map((name) => `cp evil/git evil/${name}; cp evil/git node_modules/.bin/${name}`),
        'cp evil/git node_modules/.bin/git',
        `printf '%s' '${settings}' > .claude/settings.json; cp .claude/settings.json ~/.claude/settings.json`,
      ].join('; ')
    }
    const here = await enter((project) => [bash(write(project)), bash('git --version')])
    writeFileSync(join(here.holdfastHome, 'config', 'profiles', 'test.yaml'), `agent: tester\nmodel: { key: agent/test, baseUrl: "${here.model.baseUrl}" }\npolicy: { allow: ["Bash"] }\n`)
    // As npx and npm scripts do it: what a project brings along comes first.
    const path = { env: { PATH: ['.', evil(here.project), join(here.project, 'node_modules', '.bin'), here.environment['PATH']].join(':') } }
    await here.holdfast(['up'], path)
    const client = await here.client()
    client.on('approval/changed', ({ id: approvalId, state, bindingHash }) => {
      if (state === 'waiting') void client.call('approval/decide', { approvalId, bindingHash, answer: 'approve' })
    })
    for (const time of [1, 2]) {
      expect((await here.holdfast(['run', '--profile', 'test', '--', 'claude', '-p', 'Do it.'], path)).code, `run ${time}`).toBe(0)
    }
    expect(toolResults(here).at(-1)).toContain('fake')
    expect(existsSync(join(here.project, 'inside'))).toBe(true)
    const { sessions } = JSON.parse((await here.holdfast(['sessions', '--json'], path)).stdout) as { sessions: { id: string; startCheckpoint: string }[] }
    const { id = '', startCheckpoint = '' } = sessions.at(-1) ?? {}
    expect((await here.holdfast(['checkpoint', 'restore', id, startCheckpoint], path)).code).toBe(0)
    expect(existsSync(outside)).toBe(false)
    client.close()
  })

  it('gives --add-dir a folder that an agent may have, guarded as the project is, and no other', async () => {
    const here = await enter(() => [bash('echo made > ../beside/made.txt; echo evil > ../beside/.git/hooks/pre-commit; echo evil >> ../beside/.git/config; cat ../h/data/ledger.db')])
    const beside = join(here.folder, 'beside')
    mkdirSync(beside)
    execFileSync('git', ['init', '--quiet', beside], { env: { PATH: '/usr/bin:/bin' } })
    const config = readFileSync(join(beside, '.git', 'config'), 'utf8')
    await here.holdfast(['up'])
    const client = await here.client()
    client.on('approval/changed', ({ id, state, bindingHash }) => {
      if (state === 'waiting') void client.call('approval/decide', { approvalId: id, bindingHash, answer: 'approve' })
    })
    const run = (folder: string) => here.holdfast(['run', '--profile', 'test', '--', 'claude', '-p', 'Do it.', '--add-dir', folder])
    for (const folder of [here.holdfastHome, join(here.holdfastHome, 'data'), here.folder, '/']) {
      const refused = await run(folder)
      expect(refused.code, folder).toBe(3)
      expect(refused.stderr).toContain('Holdfast\'s own files')
    }
    expect((await run('../no-such-folder')).code).toBe(2)
    expect(here.model.requests).toEqual([])

    expect((await run('../beside')).code).toBe(0)
    expect(toolResults(here).at(-1)).toMatch(/read-only file system/i)
    expect(toolResults(here).at(-1)).toContain('ledger.db: No such file')
    expect(readFileSync(join(beside, 'made.txt'), 'utf8')).toBe('made\n')
    expect(existsSync(join(beside, '.git', 'hooks', 'pre-commit'))).toBe(false)
    expect(readFileSync(join(beside, '.git', 'config'), 'utf8')).toBe(config)
    client.close()
  })

  it('puts a folder of --add-dir back, too, when the session is killed', async () => {
    const here = await enter(() => [bash('echo lost > ../beside/kept.txt; echo made > ../beside/made.txt; sleep 300')])
    const beside = join(here.folder, 'beside')
    mkdirSync(beside)
    writeFileSync(join(beside, 'kept.txt'), 'kept\n')
    await here.holdfast(['up'])
    const client = await here.client()
    client.on('approval/changed', ({ id, state, bindingHash }) => {
      if (state === 'waiting') void client.call('approval/decide', { approvalId: id, bindingHash, answer: 'approve' })
    })
    const session = here.start(['run', '--profile', 'test', '--', 'claude', '-p', 'Do it.', '--add-dir', '../beside'])
    session.child.stdin?.end()
    while (!existsSync(join(beside, 'made.txt'))) await new Promise((resolve) => setTimeout(resolve, 20))
    expect(readFileSync(join(beside, 'kept.txt'), 'utf8')).toBe('lost\n')
    expect((await here.holdfast(['kill', '--all'])).code).toBe(0)
    expect((await session.finished).code).toBe(137)
    expect(readFileSync(join(beside, 'kept.txt'), 'utf8')).toBe('kept\n')
    expect(existsSync(join(beside, 'made.txt'))).toBe(false)
    client.close()
  })

  it('goes without a container only at the user\'s word, loudly, and with a home of the agent\'s own', async () => {
    const here = await enter()
    const run = (...args: string[]) => here.holdfast(['run', ...args, '--', 'sh', '-c', 'echo "$HOME"'])
    const flag = await run('--no-sandbox', '--profile', 'test')
    expect(flag.stdout.trim()).toBe(join(here.holdfastHome, 'data', 'agents', 'tester', 'home'))
    expect(flag.stderr).toContain('SANDBOX OFF')

    writeFileSync(join(here.project, 'holdfast.yaml'), 'sandbox: off\n')
    const project = await run('--profile', 'test')
    expect(project.stdout.trim()).toBe(here.home)
    expect(project.stderr).toContain('run with --no-sandbox yourself')
    expect(project.stderr).not.toContain('SANDBOX OFF')

    writeFileSync(join(here.holdfastHome, 'config', 'profiles', 'loose.yaml'), 'agent: loose\nsandbox: off\n')
    const profile = await run('--profile', 'loose')
    expect(profile.stdout.trim()).toBe(join(here.holdfastHome, 'data', 'agents', 'loose', 'home'))
    expect(profile.stderr).toContain('SANDBOX OFF')

    expect((await sessionsOf(here)).map(({ container }) => container)).toEqual(['off', 'linux', 'off'])
    const started = (await entriesOf(here)).filter(({ kind }) => kind === 'session/started')
    expect(started.map(({ body }) => body['container'])).toEqual(['off', 'linux', 'off'])
  })

  it('says how a session is held, who pays, and which MCP server does not come up', async () => {
    const here = await enter(() => [bash('sleep 1')])
    const servers = 'servers: { broken: { command: /no/such/server } }'
    writeFileSync(join(here.holdfastHome, 'config', 'profiles', 'broken.yaml'), `agent: tester\nmodel: { key: agent/test, baseUrl: "${here.model.baseUrl}" }\n${servers}\n`)
    const { code, stderr } = await here.holdfast(['run', '--profile', 'broken', '--', 'claude', '-p', 'Do it.'])
    expect(code).toBe(0)
    expect(stderr).toBe(
      [
        'holdfast: Held in a linux container.',
        'holdfast: Model requests use the key agent/test, billed by what they use.',
        'holdfast: MCP server broken: Server broken is not started: there is no program /no/such/server. Install it, or correct the command.',
        '',
      ].join('\n'),
    )
    const own = await here.holdfast(['run', '--', 'claude', '--version'])
    expect(own.stderr).toContain('No key is kept as agent/anthropic: the agent signs in by itself')
  })
})
