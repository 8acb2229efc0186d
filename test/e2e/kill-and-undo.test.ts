import { createHash } from 'node:crypto'
import { lstatSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { KillReport } from '../../shared/contract/schemas/session.ts'
import { bash, createScriptedWorld } from '../support/script.ts'
import { missingForEndToEnd, nextEvent, type World } from '../support/world.ts'

const missing = missingForEndToEnd()

let world: World | null = null
afterEach(async () => {
  await world?.end()
  world = null
})

/** Everything a revert must bring back: status, index bytes, refs, stashes, and each file's kind, mode and bytes. */
const stateOf = ({ project, git }: World) => {
  const files: Record<string, string> = {}
  for (const entry of readdirSync(project, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name)
    const name = file.slice(project.length + 1)
    if (name === '.git' || name.startsWith('.git/')) continue
    const stat = lstatSync(file)
    const content = stat.isSymbolicLink() ? readlinkSync(file) : stat.isFile() ? createHash('sha256').update(readFileSync(file)).digest('hex') : ''
    files[name] = `${stat.isDirectory() ? 'folder' : (stat.mode & 0o7777).toString(8)} ${content}`
  }
  return {
    status: git('status', '--porcelain=v2', '--branch'),
    index: createHash('sha256').update(readFileSync(join(project, '.git', 'index'))).digest('hex'),
    head: readFileSync(join(project, '.git', 'HEAD'), 'utf8'),
    refs: git('for-each-ref'),
    stashes: git('stash', 'list'),
    files,
  }
}

/** Processes on this machine whose command line has the word, zombies aside. */
const processesNaming = (word: string): string[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
        return line.includes(word) && Number(pid) !== process.pid ? [`${pid} ${line}`] : []
      } catch {
        return []
      }
    })

describe.skipIf(missing !== null)(`kill and undo, with the real Claude Code${missing === null ? '' : ` (missing: ${missing})`}`, () => {
  it('leaves no process of a tree that hides, puts everything back, and undo brings the killed state back exactly once', async () => {
    const mark = `holdfast-canary-${process.pid}-${Date.now()}`
    const hide = [
      `setsid sh -c 'while :; do echo ${mark} >> beat.txt; sleep 0.2; done' >/dev/null 2>&1 &`,
      `nohup sh -c 'exec sleep 987; : ${mark}' >/dev/null 2>&1 &`,
      `( ( trap '' TERM HUP INT; while :; do sleep 1; : ${mark}; done ) & ) >/dev/null 2>&1`,
      `env -i setsid sh -c 'while :; do sleep 1; : ${mark}; done' >/dev/null 2>&1 &`,
    ].join('\n')
    const change = [
      'echo changed > README.md',
      'rm todo.txt',
      'mkdir -p deep/er && echo new > deep/er/new.txt',
      'chmod 755 CLAUDE.md',
      'git checkout -q -b feature && git add -A && git commit -qm "agent work" && git tag agent-tag',
      'echo staged > staged.txt && git add staged.txt',
      'echo more > more.txt && git stash push -q -u -m agent-stash',
      'echo after > after.txt',
    ].join(' && ')
    world = await createScriptedWorld(() => [bash(change), bash(`${hide}\nsleep 500`)])
    const here = world
    writeFileSync(join(here.project, 'todo.txt'), 'untracked\n')
    writeFileSync(join(here.project, 'README.md'), '# A project, changed by me and not committed\n')
    writeFileSync(join(here.project, 'CLAUDE.md'), 'CANARY-CLAUDE-MD: staged by me.\n')
    here.git('add', 'CLAUDE.md')
    const start = stateOf(here)

    await here.holdfast(['up'])
    const client = await here.client()
    client.on('approval/changed', ({ id, state, bindingHash }) => {
      if (state === 'waiting') void client.call('approval/decide', { approvalId: id, bindingHash, answer: 'approve' })
    })
    const running = nextEvent(client, 'tool-call/changed', ({ state, input }) => state === 'running' && JSON.stringify(input).includes('sleep 500'))
    const session = here.start(['run', '--profile', 'test', '--', 'claude', '-p', 'Do it.'])
    session.child.stdin?.end()
    const { sessionId } = await running
    await fileGrows(join(here.project, 'beat.txt'))
    expect(processesNaming(mark).length).toBeGreaterThan(2)

    const kill = await here.holdfast(['kill', sessionId, '--json'])
    const [report] = (JSON.parse(kill.stdout) as { reports: KillReport[] }).reports
    expect(report).toMatchObject({ survivors: [], restoreProblem: null })
    expect(processesNaming(mark)).toEqual([])
    expect((await session.finished).code).toBe(137)
    expect(kill.code).toBe(0)
    expect(stateOf(here)).toEqual(start)

    const undo = await here.holdfast(['undo', sessionId])
    expect(undo.code).toBe(0)
    const killed = stateOf(here)
    expect(killed.files['after.txt']).toBeDefined()
    expect(killed.files['deep/er/new.txt']).toBeDefined()
    expect(killed.files['todo.txt']).toBeUndefined()
    expect(killed.head).toBe('ref: refs/heads/feature\n')
    expect(killed.refs).toContain('refs/tags/agent-tag')
    expect(killed.stashes).toContain('agent-stash')

    const twice = await here.holdfast(['undo', sessionId])
    expect(twice.code).toBe(1)
    expect(twice.stderr).toContain('nothing to undo')
    expect(stateOf(here)).toEqual(killed)
    expect((await here.holdfast(['ledger', 'verify'])).code).toBe(0)
    client.close()
  })

  it('kills without a host that hangs, and proves it', async () => {
    const mark = `holdfast-hang-${process.pid}-${Date.now()}`
    world = await createScriptedWorld(() => [bash(`setsid sh -c 'while :; do echo x >> beat.txt; sleep 0.2; : ${mark}; done' >/dev/null 2>&1 & sleep 500`)])
    const here = world
    const session = here.start(['run', '--profile', 'test', '--', 'claude', '-p', 'Do it.'])
    session.child.stdin?.end()
    await fileGrows(join(here.project, 'beat.txt'))
    const { pid } = await here.endpoint()
    process.kill(pid, 'SIGSTOP')
    try {
      const kill = await here.holdfast(['kill', '--all', '--json'])
      const { reports } = JSON.parse(kill.stdout) as { reports: KillReport[] }
      expect(reports).toHaveLength(1)
      expect(reports[0]).toMatchObject({ survivors: [], restoreProblem: null })
      expect(processesNaming(mark)).toEqual([])
      expect(kill.stderr).toContain('killing without it')
    } finally {
      process.kill(pid, 'SIGCONT')
    }
    await session.finished
  })
})

/** Resolves when the file has content. */
const fileGrows = async (file: string): Promise<void> => {
  for (;;) {
    try {
      if (lstatSync(file).size > 0) return
    } catch {
      // Not there yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
