// A question that nobody answers for a long time: a call is held past the agents' own default limits (Claude Code: 600 s
// of a silent stream, 300 s without pings), and then approved or denied.
// Run: node test/bench/hold.ts [MINUTES]   (11 without; prints a table; asserts nothing). Real Claude Code in -p and in a
// terminal, held at its hook; one without hooks (once with what Holdfast sets, once with its own time-out, which loses the
// call) and real opencode, held at the gateway. Build first.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { scriptedTurns, startStandInModel } from '../../shared/core/demo/stand-in-model.ts'
import { trustingGuard } from '../fixtures/guard.ts'
import { startGateway } from '../integration/gateway-fixture.ts'
import { CLAUDE, claudeEnv, createPlace } from '../support/bare-claude.ts'
import { startOpenAiModel } from '../support/openai-model.ts'
import { bash } from '../support/script.ts'
import { startInTerminal } from '../support/terminal.ts'
import { CLI_FILE, createWorld, KEY, type World } from '../support/world.ts'

const OPENCODE = fileURLToPath(new URL('../node_modules/opencode-linux-x64/bin/opencode', import.meta.url))
const COMMAND = 'echo ran >> ran.txt'
const HOLD_MS = Number(process.argv[2] ?? 11) * 60_000
/** What the agent may still do once it has its answer. */
const END_MS = 60_000

interface Row {
  readonly agent: string
  readonly 'held at': string
  readonly answer: string
  readonly 'minutes held': string
  readonly 'times asked': number
  readonly 'times run': number
  readonly 'ended well': boolean
}

const timesRun = (folder: string): number => (existsSync(join(folder, 'ran.txt')) ? readFileSync(join(folder, 'ran.txt'), 'utf8').split('\n').length - 1 : 0)
const within = (end: Promise<boolean>): Promise<boolean> => Promise.race([end, sleep(END_MS, false, { ref: false })])

/** The whole of Holdfast: `start` begins a session whose first call is asked about, and tells whether it ended as it should. */
const inHoldfast = async (name: string, heldAt: string, answer: 'approve' | 'deny', prepare: () => Promise<{ world: World; start: (world: World) => Promise<boolean> }>): Promise<Row> => {
  const { world, start } = await prepare()
  await world.holdfast(['up'])
  const client = await world.client()
  let asked = 0
  const question = new Promise<{ approvalId: string; bindingHash: string }>((resolve) =>
    client.on('approval/changed', ({ id, bindingHash, state }) => {
      if (state !== 'waiting') return
      asked += 1
      resolve({ approvalId: id, bindingHash })
    }),
  )
  const ended = start(world)
  const { approvalId, bindingHash } = await question
  const from = Date.now()
  await sleep(HOLD_MS)
  const minutes = ((Date.now() - from) / 60_000).toFixed(1)
  await client.call('approval/decide', { approvalId, bindingHash, answer, scope: 'once' } as Parameters<typeof client.call<'approval/decide'>>[1]).catch((error: unknown) => console.error(name, error))
  const isWell = await within(ended)
  const row = { agent: name, 'held at': heldAt, answer, 'minutes held': minutes, 'times asked': asked, 'times run': timesRun(world.project), 'ended well': isWell }
  client.close()
  await world.end()
  return row
}

const profileOf = (baseUrl: string): string => `agent: tester\nmodel: { key: agent/test, baseUrl: "${baseUrl}" }\nlimits: { approvalTimeoutMs: 86400000 }\npolicy: { ask: ["Bash(echo ran:*)"] }\n`

const setProfile = (world: World, baseUrl: string): Promise<void> => writeFile(join(world.holdfastHome, 'config', 'profiles', 'test.yaml'), profileOf(baseUrl))

const claudeWorld = async (): Promise<World> => {
  const world = await createWorld(scriptedTurns([bash(COMMAND)]))
  await setProfile(world, world.model.baseUrl)
  return world
}

const claudePrint = (answer: 'approve' | 'deny'): Promise<Row> =>
  inHoldfast('claude -p', 'its hook', answer, async () => ({
    world: await claudeWorld(),
    start: async (world) => {
      const session = world.start(['run', '--profile', 'test', '--', 'claude', '-p', 'Do it.'])
      session.child.stdin?.end()
      return (await session.finished).code === 0
    },
  }))

const claudeTerminal = (): Promise<Row> =>
  inHoldfast('claude in a terminal', 'its hook', 'approve', async () => ({
    world: await claudeWorld(),
    start: async (world) => {
      const screen = startInTerminal(`hf-hold-${process.pid}`, [process.execPath, CLI_FILE, 'run', '--profile', 'test', '--', 'claude'], { env: world.environment, cwd: world.project })
      await screen.shows('manual mode on')
      screen.type('Do it.')
      screen.press('Enter')
      for (let waited = 0; waited < HOLD_MS + END_MS; waited += 1_000) {
        if (screen.screen().includes('Done.')) break
        await sleep(1_000)
      }
      const isDone = screen.screen().includes('Done.')
      screen.end()
      return isDone
    },
  }))

const opencode = async (): Promise<Row> => {
  const model = await startOpenAiModel((request) => {
    const hasResult = (request['messages'] as { role: string }[]).some(({ role }) => role === 'tool')
    return request['tools'] === undefined || hasResult ? { text: 'All done.' } : { text: 'I go on.', calls: [{ name: 'bash', arguments: { command: COMMAND, description: 'a step' } }] }
  }, KEY)
  const row = await inHoldfast('opencode', 'the gateway', 'approve', async () => {
    const world = await createWorld(() => ({ content: [] }), { programs: { opencode: OPENCODE } })
    await setProfile(world, model.baseUrl)
    return {
      world,
      start: async () => {
        const session = world.start(['run', '--profile', 'test', '--', 'opencode', 'run', '--model', 'holdfast/gpt-5', 'Do it.'])
        session.child.stdin?.end()
        return (await session.finished).code === 0
      },
    }
  })
  await model.close()
  return row
}

/** Without hooks and held by nothing but the gateway; `env` is what Holdfast sets for it, or nothing to see its own limit. */
const claudeAtGateway = async (name: string, env: Record<string, string>): Promise<Row> => {
  const place = createPlace()
  const model = await startStandInModel({ script: scriptedTurns([bash(COMMAND)]) })
  const held: number[] = []
  const guard = { ...trustingGuard, judge: () => (held.push(Date.now()), sleep(HOLD_MS).then(() => ({ released: true as const }))) }
  const gateway = await startGateway({ upstreamBaseUrl: model.baseUrl, guard })
  const child = spawn(CLAUDE, ['-p', 'Do it.', '--model', 'claude-opus-5-5', '--allowedTools', 'Bash'], { cwd: place.cwd, env: { ...claudeEnv(gateway.baseUrl, place), ...env }, stdio: ['ignore', 'ignore', 'ignore'] })
  const ended = new Promise<boolean>((resolve) => child.once('exit', (code) => resolve(code === 0)))
  const isWell = await Promise.race([ended, sleep(HOLD_MS + END_MS, false, { ref: false })])
  const minutes = (((held.at(-1) ?? 0) - (held[0] ?? 0) + HOLD_MS) / 60_000).toFixed(1)
  const row = { agent: name, 'held at': 'the gateway', answer: 'approve', 'minutes held': minutes, 'times asked': held.length, 'times run': timesRun(place.cwd), 'ended well': isWell }
  child.kill('SIGKILL')
  await gateway.close()
  await model.close()
  place.close()
  return row
}

console.table(
  await Promise.all([
    claudePrint('approve'),
    claudePrint('deny'),
    claudeTerminal(),
    claudeAtGateway('claude -p, no hooks', { CLAUDE_STREAM_IDLE_TIMEOUT_MS: '86400000' }),
    claudeAtGateway('the same, with its own time-out', {}),
    opencode(),
  ]),
)
process.exit()
