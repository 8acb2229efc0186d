import type { Command } from 'commander'
import { HoldfastError } from '../../../contract/errors.ts'
import { SessionId } from '../../../contract/ids.ts'
import { pickEnv } from '../../../domain/env-pass.ts'
import { isOver } from '../../../domain/session-state.ts'
import { lock, unlock } from '../../../core/lock.ts'
import { resolvePaths } from '../../../core/paths.ts'
import { attach, viewerTerminal } from '../attach.ts'
import { emergencyKill } from '../emergency-kill.ts'
import { examples, outputOf } from '../program-output.ts'
import { killLines, restoreLines, sessionLines } from '../render.ts'
import { connectRunningHost, withHost } from '../with-host.ts'

/** A session's id as typed. Throws HoldfastError `bad-params`. */
export const parseSessionId = (text: string): SessionId => {
  const parsed = SessionId.safeParse(text)
  if (!parsed.success) throw new HoldfastError('bad-params', `"${text}" is not a session's id: those look like ses_ and 12 letters or digits. "holdfast sessions" lists them.`)
  return parsed.data
}

const addTo = (rule: string, before: string[] = []): string[] => [...before, rule]

const addRun = (program: Command): void => {
  program
    .command('run')
    .summary('start an agent under supervision, in this terminal')
    .usage('[options] -- COMMAND…')
    .description(
      'Starts an agent in a container of its own, with its tool calls, its model requests and its cost under your eyes.\nExits with its exit code, or 137 when it was killed.',
    )
    .argument('<command...>', 'the agent and its arguments, after --')
    .option('--profile <name>', 'an agent profile from your config folder')
    .option('--cwd <folder>', 'where to run it (default: here)')
    .option('--allow <rule>', 'let calls pass in this session alone, as under "allow" in a profile (repeatable)', addTo)
    .option('--ask <rule>', 'ask about calls in this session alone (repeatable)', addTo)
    .option('--deny <rule>', 'refuse calls in this session alone (repeatable)', addTo)
    .option('--no-sandbox', 'without a container: the agent can then reach everything you can')
    .option('--no-checkpoint', 'without a kept state of the folder: nothing can be put back')
    .option('--json', 'the session as a JSON object at its end; what the agent prints goes to standard error')
    .addHelpText('after', examples('holdfast run -- claude', 'holdfast run -- claude -p "fix the failing test"', 'holdfast run --profile frontend --cwd ~/web -- claude --model sonnet', `holdfast run --deny 'Bash(npm publish:*)' --ask 'Edit(migrations/**)' -- claude`))
    .action(async (command: string[], options: { profile?: string; cwd?: string; allow?: string[]; ask?: string[]; deny?: string[]; sandbox: boolean; checkpoint: boolean }, self: Command) => {
      const output = outputOf(self)
      const cwd = options.cwd ?? process.cwd()
      const named = options.profile === undefined ? {} : { profile: options.profile }
      const { allow, ask, deny } = options
      const rules = { ...(allow && { allow }), ...(ask && { ask }), ...(deny && { deny }) }
      await withHost(async (client) => {
        const resolved = await client.call('profile/resolve', { cwd, command, ...named })
        for (const notice of resolved.notices) output.note(notice)
        if (!options.sandbox || resolved.sandbox === 'off') output.note('SANDBOX OFF: this agent can read and change everything that you can.')
        if (!options.checkpoint) output.note('NO CHECKPOINT: what this agent changes in the folder cannot be put back.')
        const env = pickEnv(resolved.envNames, process.env)
        await client.call('event/subscribe', {})
        const attachment = attach(client, (line) => output.note(line), output.json ? process.stderr : process.stdout)
        const session = await client.call('session/start', {
          cwd,
          command,
          ...named,
          env,
          terminal: viewerTerminal(),
          sandbox: options.sandbox ? 'auto' : 'off',
          checkpoint: options.checkpoint ? 'required' : 'off',
          ...(Object.keys(rules).length === 0 ? {} : { rules }),
        })
        attachment.begin(session)
        const ended = await attachment.over
        if (output.json) output.result(ended, [])
        else if (ended.state !== 'ended') output.note(`session ${ended.id} was ${ended.state}${ended.reason === null ? '' : `: ${ended.reason}`}`)
        process.exitCode = ended.exitCode ?? 1
      }).finally(() => process.stdin.destroy())
    })
}

const addKill = (program: Command): void => {
  program
    .command('kill')
    .summary('stop sessions dead, prove it, and put the folder back')
    .description('Freezes the session, ends every process in it, proves that none is left, and brings the folder back to how it was at the start. Works when the host hangs, too.')
    .argument('[id...]', 'sessions to kill')
    .option('--all', 'every session that runs')
    .option('--keep-changes', 'leave the folder as the agent left it')
    .option('--lock', 'let nothing start afterwards, until: holdfast unlock')
    .addHelpText('after', examples('holdfast kill ses_7k2m9x4tqwzb', 'holdfast kill --all --keep-changes'))
    .action(async (ids: string[], options: { all?: true; keepChanges?: true; lock?: true }, self: Command) => {
      const output = outputOf(self)
      if ((options.all === true) === ids.length > 0) throw new HoldfastError('bad-params', 'Say which sessions to kill, or --all.')
      const sessionIds = options.all === true ? ('all' as const) : ids.map(parseSessionId)
      if (options.lock === true) lock(resolvePaths(process.env))
      const reports = await emergencyKill(sessionIds, options.keepChanges === true, output)
      const lines = reports.length === 0 ? ['No session runs.'] : reports.flatMap(killLines)
      output.result({ reports }, lines)
      if (reports.some((report) => report.survivors.length > 0 || (report.restoreProblem !== null && options.keepChanges !== true))) process.exitCode = 1
    })
}

/** `run`, `sessions`, `pause`, `resume`, `kill`, `unlock`, `undo`, `down`. */
export const addSessionCommands = (program: Command): void => {
  addRun(program)

  program
    .command('sessions')
    .summary('list the sessions of this host')
    .addHelpText('after', examples('holdfast sessions', 'holdfast sessions --json'))
    .action(async (_options: unknown, self: Command) => {
      const { sessions } = await withHost((client) => client.call('session/list', {}))
      outputOf(self).result({ sessions }, sessionLines(sessions, Date.now()))
    })

  program
    .command('pause')
    .summary('freeze a session: nothing in it runs until it is resumed')
    .argument('<id>', 'the session')
    .addHelpText('after', examples('holdfast pause ses_7k2m9x4tqwzb'))
    .action(async (id: string, _options: unknown, self: Command) => {
      const session = await withHost((client) => client.call('session/pause', { sessionId: parseSessionId(id) }))
      outputOf(self).result(session, [`${session.id} is ${session.state}.`])
    })

  program
    .command('resume')
    .summary('let a paused session go on')
    .argument('<id>', 'the session')
    .option('--message <text>', 'what its agent is told with its next step, as your own word')
    .addHelpText('after', examples('holdfast resume ses_7k2m9x4tqwzb', 'holdfast resume ses_7k2m9x4tqwzb --message "leave the schema alone; write a test first"'))
    .action(async (id: string, { message }: { message?: string }, self: Command) => {
      const session = await withHost((client) => client.call('session/resume', { sessionId: parseSessionId(id), ...(message === undefined ? {} : { message }) }))
      outputOf(self).result(session, [`${session.id} is ${session.state}.${message === undefined ? '' : ' Its agent is told with its next step.'}`])
    })

  addKill(program)

  program
    .command('unlock')
    .summary('let sessions start again after a kill that locked')
    .addHelpText('after', examples('holdfast unlock'))
    .action((_options: unknown, self: Command) => {
      unlock(resolvePaths(process.env))
      outputOf(self).result({ unlocked: true }, ['Sessions can start again.'])
    })

  program
    .command('undo')
    .summary('put back what a revert took away')
    .argument('<id>', 'the session')
    .addHelpText('after', examples('holdfast undo ses_7k2m9x4tqwzb'))
    .action(async (id: string, _options: unknown, self: Command) => {
      const sessionId = parseSessionId(id)
      const report = await withHost((client) => client.call('session/undo', { sessionId }))
      outputOf(self).result(report, [`${sessionId}: the state from before the revert is back.`, ...restoreLines(report)])
    })

  program
    .command('down')
    .summary('stop the host; refused while sessions run')
    .addHelpText('after', examples('holdfast down'))
    .action(async (_options: unknown, self: Command) => {
      const client = await connectRunningHost(resolvePaths(process.env))
      if (client === null) return outputOf(self).result({ stopped: false }, ['No host runs.'])
      try {
        const { sessions } = await client.call('session/list', {})
        const running = sessions.filter(({ state }) => !isOver(state)).map(({ id }) => id)
        if (running.length > 0) throw new HoldfastError('illegal-state', `${running.length === 1 ? 'A session still runs' : `${running.length} sessions still run`}: ${running.join(', ')}. Kill first: holdfast kill --all`)
        await client.call('host/stop', {})
        await client.closed
      } finally {
        client.close()
      }
      outputOf(self).result({ stopped: true }, ['The host has stopped.'])
    })
}
