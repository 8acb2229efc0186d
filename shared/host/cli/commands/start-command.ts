import { existsSync, readdirSync } from 'node:fs'
import { emitKeypressEvents } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { HoldfastError } from '../../../contract/errors.ts'
import type { ApprovalRequest } from '../../../contract/schemas/approval.ts'
import type { ToolCall } from '../../../contract/schemas/tool-call.ts'
import { runGuidedSession, type GuidedAudience, type GuidedResult } from '../../../core/demo/guided-session.ts'
import { resolvePaths } from '../../../core/paths.ts'
import { costText } from '../../../domain/describe.ts'
import { formatDuration, formatUsd } from '../../../domain/format.ts'
import { visibleText } from '../../../domain/visible-text.ts'
import { examples, outputOf } from '../program-output.ts'
import { findShell } from '../open-electron.ts'
import { approvalLines } from '../render.ts'
import { showHost } from './up-command.ts'

const beside = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

/** Waits for one of these keys, pressed alone. */
const key = (allowed: readonly string[]): Promise<string> =>
  new Promise((resolve, reject) => {
    emitKeypressEvents(process.stdin)
    process.stdin.setRawMode(true).resume()
    const done = (): void => {
      process.stdin.off('keypress', listen)
      process.stdin.setRawMode(false).pause()
    }
    const listen = (_text: string, pressed: { name?: string; ctrl?: boolean }): void => {
      if (pressed.ctrl === true && pressed.name === 'c') {
        done()
        reject(new HoldfastError('illegal-state', 'Stopped. Nothing of the guided session is left.'))
      } else if (pressed.name !== undefined && allowed.includes(pressed.name)) {
        done()
        resolve(pressed.name)
      }
    }
    process.stdin.on('keypress', listen)
  })

const STATES: Partial<Record<ToolCall['state'], string>> = {
  running: 'runs',
  completed: 'done',
  failed: 'failed',
  denied: 'denied',
  'awaiting-approval': 'HELD',
}

const describe = (call: ToolCall): string => {
  const input = call.input as { file_path?: unknown; command?: unknown } | null
  const what = input?.command ?? input?.file_path ?? ''
  return `${call.tool} ${visibleText(typeof what === 'string' ? what : '')}`
}

const createStoryteller = (tell: (line: string) => void, interactive: boolean): GuidedAudience => {
  let lastCost = ''
  return {
    begins: ({ scripted, version, container, project }) => {
      tell(scripted ? 'Agent: a scripted stand-in (Claude Code is not installed here), through the same gateway, hooks and broker.' : `Agent: Claude Code ${version ?? ''}.`)
      tell('Model: a scripted stand-in on this machine; no key, no network.')
      tell(`Project: ${project}, in a container of kind "${container}".`)
      tell('')
    },
    agentSays: (text) => tell(`  agent    ${visibleText(text)}`),
    toolCall: (call) => {
      const state = STATES[call.state]
      if (state !== undefined) tell(`  ${state.padEnd(8)} ${describe(call)}${call.decision === null ? '' : `  [${call.decision.classification.class}]`}`)
    },
    cost: (session) => {
      const cost = costText(session.usage)
      if (cost === lastCost || session.usage.requests === 0) return
      lastCost = cost
      tell(`  cost     ${cost} of ${formatUsd(session.usage.capMicroUsd ?? 0)}`)
    },
    answer: async (request: ApprovalRequest) => {
      tell('')
      for (const line of approvalLines(request, Date.now())) tell(`  ${line}`)
      if (!interactive) {
        tell('  answer   no terminal to ask on: denied')
        tell('')
        return 'deny'
      }
      tell('  [d] deny   [a] approve')
      const pressed = await key(['a', 'd'])
      tell(`  answer   ${pressed === 'a' ? 'approved' : 'denied'}`)
      tell('')
      return pressed === 'a' ? 'approve' : 'deny'
    },
    killSwitch: async () => {
      tell('')
      tell('The agent now runs something that never ends, in a session of its own.')
      if (!interactive) return
      tell('Press Enter to kill it.')
      await key(['return', 'enter'])
    },
  }
}

const closingLines = (result: GuidedResult): string[] => {
  const { session, kill, ledger } = result
  const answered = result.denied > 0 ? `${result.denied} denied` : 'approved by you'
  return [
    '',
    `calls made: ${result.calls}`,
    `destructive calls: ${result.held} held, ${answered}`,
    `cost: ${costText(session.usage)}, ${session.usage.tokens.input + session.usage.tokens.cacheRead + session.usage.tokens.cacheWrite5m + session.usage.tokens.cacheWrite1h} tokens in, ${session.usage.tokens.output} out`,
    `processes left: ${kill.survivors.length} (${kill.processesKilled} ended in ${formatDuration(kill.durationMs)})`,
    `working tree: ${result.restored ? 'restored' : 'NOT RESTORED'}${result.undone ? ', and the undo brought the changes back' : ''}`,
    `ledger: ${ledger.ok ? 'verified' : 'NOT VERIFIED'}, ${ledger.entries} entries`,
  ]
}

const NEXT = [
  '',
  'Next, in a project of yours: holdfast init. It looks at this machine and the project, proposes what the agent may do, and starts it.',
  'In this checkout that is: npm run -s holdfast -- init --cwd YOUR-PROJECT',
]

const guide = async (self: Command): Promise<void> => {
  const output = outputOf(self)
  const interactive = process.stdin.isTTY === true && process.stdout.isTTY === true && !output.json
  const tell = output.json ? () => undefined : (line: string) => void process.stdout.write(`${line}\n`)
  tell('Holdfast: a guided session. An agent works on a scratch project; you see what it does, and stop it.')
  const result = await runGuidedSession({
    audience: createStoryteller(tell, interactive),
    environment: process.env,
    programs: { shim: beside('./stdio-shim.mjs'), plainInit: beside('./plain-init.mjs'), repositoryWatcher: beside('./repository-watcher.mjs'), gitSigner: beside('./git-signer.mjs'), ledgerSender: beside('./ledger-sender.mjs'), demoAgent: beside('./demo-agent.mjs'), pages: beside('../renderer') },
  })
  output.result(result, [...closingLines(result), ...(interactive ? NEXT : [])])
  const held = result.held === 1 && result.kill.survivors.length === 0 && result.restored && result.undone && result.ledger.ok
  process.exitCode = held ? 0 : 1
}

/** Whether this user has a profile of their own, or a host has run here before. */
const isConfigured = (): boolean => {
  const paths = resolvePaths(process.env)
  return existsSync(paths.ledger) || (existsSync(paths.profiles) && readdirSync(paths.profiles).length > 0)
}

/** `start`: the guided session for who is new here, the host for everyone else. */
export const addStartCommand = (program: Command): void => {
  program
    .command('start')
    .summary('begin: a guided session at first, later the host')
    .description('With nothing configured yet, or without a terminal, plays a guided session on a scratch project: no key and no network needed.\nLater it starts the host and shows it: in the app, else in your browser, else in this terminal alone.')
    .option('--guide', 'play the guided session, whatever is configured')
    .addHelpText('after', examples('holdfast start', 'holdfast start --guide'))
    .action(async (options: { guide?: true }, self: Command) => {
      if (options.guide === true || process.stdin.isTTY !== true || !isConfigured()) {
        await guide(self)
        return
      }
      const { shell, why } = await findShell()
      const output = outputOf(self)
      output.note(`shell: ${shell}, since ${why}`)
      await showHost(shell, output)
      output.note('see the tour again: npm start -- --guide')
    })
}
