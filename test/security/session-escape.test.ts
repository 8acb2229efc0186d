import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { KillReport } from '../../shared/contract/schemas/session.ts'
import { listenForAgents, type AgentRoutes } from '../../shared/core/transports/agent-server.ts'
import { aliveWith } from '../fixtures/containers.ts'
import { createScriptedWorld } from '../support/script.ts'
import { KEY, missingForEndToEnd, type World } from '../support/world.ts'

const missing = missingForEndToEnd()
const CLI = fileURLToPath(new URL('../../build/out/host/cli.mjs', import.meta.url))
const CANARY = 'canary-of-the-user-2281'
const NODE = process.execPath
const has = (program: string): boolean => existsSync(join('/usr/bin', program))
const isRoot = process.getuid?.() === 0

/** Connects to a unix socket and prints what answers to a line, or why nothing does. */
const talk = (socket: string, line: string): string =>
  `${NODE} -e 'const s = require("net").connect(process.argv[1], () => s.write(JSON.parse(process.argv[2]))); s.on("data", (d) => { console.log("ANSWERED", String(d)); process.exit() }); s.on("error", (e) => { console.log(e.code); process.exit(1) }); setTimeout(() => process.exit(1), 2000)' '${socket}' '${JSON.stringify(line)}'`

describe.skipIf(missing !== null)(`a script in a real session${missing === null ? '' : ` (missing: ${missing})`}`, () => {
  let world: World
  let hostPid = 0
  let victim: { id: string; marker: string; pids: number[]; folder: string }
  const out = (name: string): string => join(world.project, 'out', name)
  const daemon = `100000.${process.pid}7`

  /** What the attacker tries, in one session, one after the other; made when the world is there. */
  const attempts = (): Record<string, string> => {
    const { home, holdfastHome, folder, environment } = world
    const bus = environment['DBUS_SESSION_BUS_ADDRESS'] ?? ''
    const [victimPid = 0] = victim.pids
    return {
      'secret-tool': `DBUS_SESSION_BUS_ADDRESS='${bus}' secret-tool search --all service holdfast`,
      dbus: talk(bus.replace('unix:path=', ''), '\0AUTH EXTERNAL 30\r\n'),
      'proc-host': `cat /proc/${hostPid}/environ /proc/${hostPid}/maps; ls -l /proc/${hostPid}/fd`,
      'proc-victim': `cat /proc/${victimPid}/environ /proc/${victimPid}/cmdline; ls /proc/${victimPid}/root/`,
      'proc-all': `cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -e '[h]ost-main' -e '[1]${victim.marker.slice(1)}'`,
      ptrace: `/usr/bin/python3 -c 'import ctypes; libc = ctypes.CDLL(None, use_errno=True); r = [libc.ptrace(16, pid, 0, 0) for pid in (${hostPid}, ${victimPid}, ${process.pid})]; print(r); raise SystemExit(0 if 0 in r else 1)'`,
      signal: `kill -9 ${hostPid} || kill -9 ${victimPid}`,
      'host-socket': talk(join(holdfastHome, 'run/host.sock'), '{}\n'),
      endpoint: `cat ${holdfastHome}/run/endpoint.json`,
      'other-sessions': `ls ${holdfastHome}/run/s | grep -v "$(basename "$(ls -d ${holdfastHome}/run/s/*)")"; ls ${victim.folder}`,
      'own-sockets': `for s in ${holdfastHome}/run/s/*/*.sock; do ${NODE} -e 'const s = require("net").connect(process.argv[1], () => s.write(JSON.stringify({ id: 1, command: "session/list", params: {} }) + "\\n")); s.on("data", (d) => console.log(String(d))); s.on("error", () => {}); setTimeout(() => process.exit(), 300)' "$s"; done | grep -e '"sessions"' -e ANSWERED`,
      cli: `HOLDFAST_HOME=${holdfastHome} ${NODE} ${CLI} approvals --json`,
      ledger: `cat ${holdfastHome}/data/ledger.db`,
      data: `ls -A ${holdfastHome}/data | grep .`,
      profiles: `cat ${holdfastHome}/config/profiles/test.yaml`,
      'kill-files': `ls -A ${holdfastHome}/run/kill | grep .`,
      ssh: `cat ${home}/.ssh/id_ed25519 ~/.ssh/id_ed25519`,
      aws: `cat ${home}/.aws/credentials`,
      gh: `cat ${home}/.config/gh/hosts.yml`,
      'other-env': `cat ${folder}/other/.env`,
      search: `grep -rs ${CANARY} / --include=id_ed25519 --include=credentials --include=hosts.yml --include=.env --exclude-dir=proc`,
      bashrc: `echo 'touch ${folder}/ran' >> ${home}/.bashrc; echo 'touch ${folder}/ran' >> ~/.bashrc; test -e ${home}/.profile`,
      hooks: 'echo x > .git/hooks/pre-commit || mv .git/hooks .git/old || mv .git old',
      config: 'git config core.fsmonitor /tmp/x || echo x >> .git/config || rm .git/config',
      unshare: 'unshare --user --map-root-user true || unshare --mount true || unshare --pid --fork true',
      mount: 'mount -t tmpfs none /mnt || mount -o remount,rw /usr || umount /proc || mount --bind / /mnt',
      cgroup: 'echo $$ > /sys/fs/cgroup/cgroup.procs || mount -t cgroup2 none /mnt || ls /sys/fs/cgroup',
      daemon: `(env -i /usr/bin/setsid /usr/bin/nohup /bin/sleep ${daemon} > /dev/null 2>&1 &) & sleep 0.1; false`,
      limits: 'cat /proc/self/limits /proc/self/oom_score_adj /proc/sys/kernel/pid_max; false',
    }
  }

  beforeAll(async () => {
    world = await createScriptedWorld(() => [])
    const { home, folder } = world
    for (const one of ['.ssh', '.aws', '.config/gh']) mkdirSync(join(home, one), { recursive: true })
    for (const [file, text] of [['.ssh/id_ed25519', CANARY], ['.aws/credentials', CANARY], ['.config/gh/hosts.yml', CANARY], ['.bashrc', '# the user’s\n']] as const) writeFileSync(join(home, file), text)
    mkdirSync(join(folder, 'other'))
    writeFileSync(join(folder, 'other/.env'), CANARY)
    mkdirSync(join(world.project, 'out'))
    await world.holdfast(['up'])
    hostPid = (await world.endpoint()).pid

    const marker = `100000.${process.pid}8`
    const victims = join(folder, 'victim')
    mkdirSync(victims)
    world.start(['run', '--cwd', victims, '--profile', 'test', '--', 'sh', '-c', `touch up; exec sleep ${marker}`])
    while (!existsSync(join(victims, 'up'))) await delay(10)
    const { sessions } = JSON.parse((await world.holdfast(['sessions', '--json'])).stdout) as { sessions: { id: string }[] }
    const pids = aliveWith(`sleep\0${marker}`)
    victim = { id: sessions[0]?.id ?? '', marker, pids, folder: victims }

    const script = Object.entries(attempts()).map(([name, command]) => `( ${command} ) > out/${name} 2>&1; echo $? > out/${name}.code`)
    writeFileSync(join(world.project, 'attack.sh'), script.join('\n'))
    const ended = await world.holdfast(['run', '--profile', 'test', '--', 'sh', 'attack.sh'])
    expect(ended).toMatchObject({ code: 0 })
  }, 120_000)
  afterAll(() => world.end())

  const said = (name: string): string => readFileSync(out(name), 'latin1')
  /** The attempt failed, and showed nothing of the user's. */
  const failed = (name: string, ...secrets: string[]): void => {
    expect(said(`${name}.code`).trim(), said(name)).not.toBe('0')
    for (const secret of [CANARY, KEY, ...secrets]) expect(said(name)).not.toContain(secret)
  }

  test('the attacks on the keyring work for the user, or this file would prove nothing', () => {
    const env = { ...world.environment }
    expect(spawnSync('secret-tool', ['search', '--all', 'service', 'holdfast'], { env, encoding: 'utf8' }).stdout).toContain(KEY)
    expect(execFileSync('/bin/sh', ['-c', talk((env['DBUS_SESSION_BUS_ADDRESS'] ?? '').replace('unix:path=', ''), '\0AUTH EXTERNAL 30\r\n')], { env, encoding: 'utf8' })).toContain('ANSWERED')
  })
  test.skipIf(!has('secret-tool'))('cannot read the keyring with secret-tool', () => failed('secret-tool', 'secret ='))
  test('cannot reach the session bus by raw D-Bus', () => failed('dbus', 'ANSWERED'))
  test('cannot read /proc of the host', () => failed('proc-host'))
  test('cannot read /proc of another session', () => failed('proc-victim', victim.marker))
  test('sees no process of the host’s or another session’s', () => failed('proc-all'))
  test.skipIf(!has('python3'))('cannot trace the host, another session or a program of the user', () => failed('ptrace'))
  test('cannot signal the host or another session', () => {
    failed('signal')
    expect(aliveWith(`sleep\0${victim.marker}`)).toEqual(victim.pids)
  })
  test('cannot connect to the host’s socket', () => failed('host-socket', 'ANSWERED'))
  test('cannot read the host’s token', () => failed('endpoint', 'token'))
  test('cannot see another session’s sockets or folder', () => failed('other-sessions'))
  test('cannot steer the host through its own sockets', () => failed('own-sockets'))
  test('cannot use the command line', () => failed('cli', '"requests"'))
  test('cannot read the ledger', () => failed('ledger', 'SQLite'))
  test('cannot see Holdfast’s data', () => failed('data'))
  test('cannot read the profiles', () => failed('profiles', 'tester'))
  test('cannot see the kill files', () => failed('kill-files'))
  test('cannot read ~/.ssh', () => failed('ssh'))
  test('cannot read ~/.aws', () => failed('aws'))
  test('cannot read ~/.config/gh', () => failed('gh'))
  test('cannot read .env of another project', () => failed('other-env'))
  test('finds none of it anywhere else', () => failed('search'))
  test('cannot write the user’s ~/.bashrc', () => expect(readFileSync(join(world.home, '.bashrc'), 'utf8')).toBe('# the user’s\n'))
  test('cannot write .git/hooks', () => {
    failed('hooks')
    expect(existsSync(join(world.project, '.git/hooks/pre-commit'))).toBe(false)
  })
  test('cannot write .git/config', () => {
    failed('config')
    expect(readFileSync(join(world.project, '.git/config'), 'utf8')).not.toContain('fsmonitor')
  })
  test('cannot make namespaces', () => failed('unshare'))
  test('cannot mount', () => failed('mount'))
  test('cannot change its cgroup', () => failed('cgroup'))
  test('keeps no process after its end', () => expect(aliveWith(daemon)).toEqual([]))
  test('is limited in processes and first to go where memory runs out', () => {
    expect(said('limits')).toMatch(/Max processes +4096 +4096/)
    expect(said('limits')).toContain('\n1000\n')
    if (isRoot) expect(said('limits')).toMatch(/\n(4096|32768|4194304)\n$/)
  })

  test('without walls the command line still refuses it: no process of a session decides anything', async () => {
    const { code, stderr } = await world.holdfast(['run', '--no-sandbox', '--profile', 'test', '--', 'sh', '-c', `HOLDFAST_HOME=${world.holdfastHome} ${NODE} ${CLI} approvals`])
    expect(code).not.toBe(0)
    expect(stderr).toContain('A process of a supervised session may not steer the host.')
  })

  test('none of it has touched the other session: it is killed with a proof', async () => {
    const { reports } = JSON.parse((await world.holdfast(['kill', victim.id, '--json'])).stdout) as { reports: KillReport[] }
    expect(reports[0]).toMatchObject({ survivors: [] })
    expect(reports[0]?.processesKilled).toBeGreaterThan(0)
  })
})

describe('a session’s own socket', () => {
  test('serves its own token and no other session’s', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'hf-'))
    const server = await listenForAgents()
    const routes = (name: string): AgentRoutes => ({ sign: () => Promise.reject(new Error('not here')), hook: async () => ({}), model: async (_request, response) => void response.end(name), proxy: null })
    const [own, other] = ['own-token-own-token-own', 'other-token-other-token']
    await server.admitApart(own, routes('own'))({ path: join(folder, 'own.sock') })
    await server.admitApart(other, routes('other'))({ path: join(folder, 'other.sock') })
    const ask = (token: string): Promise<string> =>
      new Promise((resolve) => {
        const { pathname } = new URL(server.baseUrlFor(token))
        request({ socketPath: join(folder, 'own.sock'), path: `${pathname}/v1/messages`, headers: { host: `127.0.0.1:${server.port}` } }, (response) => {
          response.on('data', (body: Buffer) => resolve(`${response.statusCode} ${String(body)}`))
        }).end()
      })
    expect(await ask(own)).toBe('200 own')
    expect(await ask(other)).toMatch(/^403 /)
    expect(await ask('guessed-token-guessed-token')).toMatch(/^403 /)
    await server.close()
    rmSync(folder, { recursive: true })
  })
})
