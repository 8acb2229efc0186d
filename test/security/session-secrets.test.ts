import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { bash, createScriptedWorld } from '../support/script.ts'
import { KEY, missingForEndToEnd, nextEvent, type World } from '../support/world.ts'

const missing = missingForEndToEnd()

let world: World | null = null
afterEach(async () => {
  await world?.end()
  world = null
})

const read = (file: string): string => {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    return ''
  }
}

/** What each process shows of itself. */
const processesOf = (pids: readonly string[]) =>
  pids.map((pid) => ({
    pid,
    environ: read(`/proc/${pid}/environ`),
    cmdline: read(`/proc/${pid}/cmdline`),
    openFiles: (() => {
      try {
        return readdirSync(`/proc/${pid}/fd`).map((fd) => {
          try {
            return readlinkSync(`/proc/${pid}/fd/${fd}`)
          } catch {
            return ''
          }
        })
      } catch {
        return []
      }
    })(),
  }))

const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))

const CANARIES = {
  AWS_SECRET_ACCESS_KEY: 'canary-aws-7f3a9c',
  ANTHROPIC_API_KEY: 'canary-anthropic-51be20',
  GITHUB_TOKEN: 'canary-github-9d04e7',
  SSH_AUTH_SOCK: '/tmp/canary-ssh-agent-c11a',
  MY_OWN_VARIABLE: 'canary-own-60d2f8',
}

describe.skipIf(missing !== null)(`what the session's processes hold${missing === null ? '' : ` (missing: ${missing})`}`, () => {
  it('no variable outside the allowlist and no key is in the environment, arguments, open files or anything Holdfast wrote', async () => {
    world = await createScriptedWorld(() => [bash('env > seen-env.txt; cat /proc/*/environ > seen-procs.txt 2>/dev/null; ls -la ~ /tmp > seen-files.txt; sleep 300')])
    const here = world
    await here.holdfast(['up'], { env: CANARIES })
    const client = await here.client()
    const runs = nextEvent(client, 'tool-call/changed', ({ state }) => state === 'running')
    const session = here.start(['run', '--profile', 'test', '--', 'claude', '-p', 'Do it.'], { env: CANARIES })
    session.child.stdin?.end()
    await runs
    const listed = join(here.project, 'seen-files.txt')
    while (!read(listed).includes('total')) await new Promise((resolve) => setTimeout(resolve, 20))

    const { pid: hostPid } = await here.endpoint()
    const inside = processesOf(descendantsOf(hostPid))
    expect(inside.length).toBeGreaterThan(3)
    const secrets = [KEY, ...Object.values(CANARIES)]
    for (const { pid, environ, cmdline, openFiles } of inside) {
      for (const secret of secrets) {
        expect(environ.includes(secret), `${secret} in the environment of ${pid} (${cmdline})`).toBe(false)
        expect(cmdline.includes(secret), `${secret} in the arguments of ${pid}`).toBe(false)
        expect(openFiles.some((file) => file.includes(secret) || read(file.startsWith(here.folder) ? file : '').includes(secret)), `${secret} in an open file of ${pid}`).toBe(false)
      }
    }
    // The session's own token is the agent's to know, and nobody else's: a command line is for every process to read.
    const token = /\/session\/([\w-]{43})/.exec(inside.map(({ environ }) => environ).join('\n'))?.[1] ?? 'no process has the token'
    expect(token).toHaveLength(43)
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      expect(read(`/proc/${pid}/cmdline`).includes(token), `the session's token in the arguments of ${pid}`).toBe(false)
    }
    // The host's own process has neither, and what the agent could read of the machine holds none of it.
    const host = read(`/proc/${hostPid}/environ`)
    for (const secret of secrets) expect(host.includes(secret), `${secret} in the host's environment`).toBe(false)

    await here.holdfast(['kill', '--all', '--keep-changes'])
    await session.finished
    for (const file of [...filesBelow(here.holdfastHome), ...filesBelow(here.project)]) {
      // A database's journal is gone as soon as its transaction is.
      const size = statSync(file, { throwIfNoEntry: false })?.size
      if (size === undefined || size > 64 * 1024 * 1024) continue
      for (const secret of secrets) expect(read(file).includes(secret), `${secret} in ${file}`).toBe(false)
    }
    const seen = read(join(here.project, 'seen-env.txt'))
    expect(seen).toContain('CLAUDE_CONFIG_DIR=')
    expect(seen).not.toContain('HOLDFAST_HOME')
    expect(seen).not.toContain('DBUS_SESSION_BUS_ADDRESS')
    client.close()
  })

  it('a process of the session sees neither the socket of the host nor the ledger, the home or the runtime folder of the user', async () => {
    const attempts = [
      'ls -R "$PWD/../h" 2>&1 | head -50',
      'ls "$PWD/../home" 2>&1',
      'ls /run/user 2>&1',
      'node -e "const s=require(\'net\').connect(process.argv[1]);s.on(\'connect\',()=>console.log(\'CONNECTED\'));s.on(\'error\',e=>console.log(e.code))" "$PWD/../h/run/host.sock" 2>&1',
    ]
    world = await createScriptedWorld(() => [bash(`( ${attempts.join('; ')} ) > attempts.txt 2>&1; true`)])
    const here = world
    await here.holdfast(['up'])
    const client = await here.client()
    client.on('approval/changed', ({ id, state, bindingHash }) => {
      if (state === 'waiting') void client.call('approval/decide', { approvalId: id, bindingHash, answer: 'approve' })
    })
    expect((await here.holdfast(['run', '--profile', 'test', '--', 'claude', '-p', 'Do it.'])).code).toBe(0)
    const attempted = read(join(here.project, 'attempts.txt'))
    expect(attempted).toContain('No such file or directory')
    expect(attempted).not.toContain('CONNECTED')
    expect(attempted).not.toContain('ledger.db')
    expect(attempted).not.toContain('endpoint.json')
    client.close()
  })
})

const descendantsOf = (root: number): string[] => {
  const parents = new Map<string, string>()
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const parent = /^PPid:\t(\d+)$/m.exec(read(`/proc/${pid}/status`))?.[1]
    if (parent !== undefined) parents.set(pid, parent)
  }
  const below = (pid: string): boolean => {
    for (let at = parents.get(pid); at !== undefined && at !== '0'; at = parents.get(at)) if (at === String(root)) return true
    return false
  }
  return [...parents.keys()].filter(below)
}
