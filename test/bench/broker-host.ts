/** Holdfast's half of the broker's benchmark, a process of its own: `open` opens a session, and says how its shim finds it. */
import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { McpConfig } from '../../shared/contract/schemas/mcp-config.ts'
import { createEventHub } from '../../shared/core/api/event-hub.ts'
import { createApprovals } from '../../shared/core/approvals/approvals.ts'
import { createBroker } from '../../shared/core/broker/create-broker.ts'
import type { BrokerSession } from '../../shared/core/broker/create-broker.ts'
import { createRedactor } from '../../shared/core/broker/redactor.ts'
import { createToolPins } from '../../shared/core/broker/tool-pins.ts'
import { createLinuxProvider } from '../../shared/core/containers/linux.ts'
import { randomIds } from '../../shared/core/identifiers.ts'
import { openLedger } from '../../shared/core/ledger/ledger.ts'
import type { SecretStore } from '../../shared/core/ports.ts'
import { createToolCallGate } from '../../shared/core/supervisor/tool-call-gate.ts'
import { judgeCall } from '../../shared/domain/judge-call.ts'
import { parseRule } from '../../shared/domain/rule-match.ts'
import { PLAIN_HOLD } from '../fixtures/servers/broker-session.ts'

const [scratch = '', server = '{}'] = process.argv.slice(2)
const folder = mkdtempSync(join(scratch, 'host-'))
const TOKEN = 'a-token-of-the-bench'
const clock = { now: Date.now }
/** Nobody hears of calls: each that does costs a frame of every state, and of every entry. */
const hub = createEventHub()
const ledger = openLedger({ file: join(folder, 'ledger.db'), clock, onAppended: (entry) => hub.publish('ledger/appended', entry) })
const rules = ['mcp__one__echo(destructive)', 'mcp__one__list_allowed_directories(destructive)'].flatMap((text) => {
  const parsed = parseRule(text)
  return parsed.ok ? [{ rule: parsed.rule, effect: 'allow' as const, source: 'the bench' }] : []
})
const policy = { layers: [{ origin: 'user' as const, rules }] }
const gate = createToolCallGate({
  clock,
  ids: randomIds,
  ledger,
  approvals: createApprovals({ clock, ids: randomIds, ledger, grantsFile: join(folder, 'grants.json'), publish: () => undefined }),
  trail: { wordsOf: () => null, endSession: () => undefined },
  activity: { before: () => null, after: () => undefined, recordAll: () => Promise.resolve(), endSession: () => undefined },
  sessionOf: () => ({
    agent: 'bench',
    cwd: folder,
    home: folder,
    recoverable: 'ask',
    approvalTimeoutMs: 60_000,
    record: { inputs: 'full', results: 'hashed' },
    pace: { admit: () => null, whileActive: () => null },
    evaluate: (tool, input) => judgeCall({ policy, tool, input, cwd: folder, home: folder }),
  }),
  publish: (call) => hub.publish('tool-call/changed', call),
  foresee: () => null,
  onDecided: () => undefined,
})
const provider = createLinuxProvider()
const isContained = (await provider.unavailable()) === null
const broker = createBroker({
  gate,
  secrets: { get: async () => null } as unknown as SecretStore,
  ledger,
  clock,
  redactor: createRedactor(),
  containers: { ids: randomIds, homes: join(folder, 'servers'), killFiles: join(folder, 'kill'), hidden: [] },
  toolPins: createToolPins({ file: join(folder, 'tool-pins.json'), clock, ledger, raiseAlarm: () => undefined }),
  raiseAlarm: () => undefined,
  version: '0.0.0',
  environment: { PATH: process.env['PATH'], HOME: folder },
  peerCheck: async () => true,
  status: () => ({}),
})
const sessions: BrokerSession[] = []

process.on('message', async (message) => {
  if (message === 'end') {
    await Promise.all(sessions.map((session) => session.close('at-once')))
    process.exit(0)
  }
  const socketPath = join(folder, `${sessions.length}.sock`)
  const session = await broker.openSession({
    proof: () => Promise.resolve(null),
    sessionId: randomIds.session(),
    agent: 'bench',
    cwd: scratch,
    hold: isContained ? { launch: (spec) => provider.launch(spec), homeAt: process.env['HOME'] ?? '/', guarded: { readable: [], writable: [] } } : PLAIN_HOLD,
    token: TOKEN,
    servers: McpConfig.parse({ mcpServers: { one: JSON.parse(server) as unknown } }),
    socketPath,
  })
  sessions.push(session)
  process.send?.({ HOLDFAST_BROKER_SOCKET: socketPath, HOLDFAST_SESSION_TOKEN: TOKEN })
})
