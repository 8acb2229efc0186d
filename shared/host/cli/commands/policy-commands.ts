import { homedir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import type { Command } from 'commander'
import { z } from 'zod'
import { HoldfastError } from '../../../contract/errors.ts'
import type { SessionId } from '../../../contract/ids.ts'
import type { ExplainedDecision, ReplayDifference } from '../../../contract/schemas/policy.ts'
import { type Policy, ProfileFile } from '../../../contract/schemas/profile.ts'
import { readPermissions } from '../../../core/onboarding/read-permissions.ts'
import { readProject } from '../../../core/onboarding/read-project.ts'
import { resolvePaths } from '../../../core/paths.ts'
import { loadProfile } from '../../../core/policy/load-profile.ts'
import { createProjectReader } from '../../../core/policy/read-project-file.ts'
import { createReplay } from '../../../core/policy/replay.ts'
import { readProfileFile } from '../../../core/policy/read-profile-file.ts'
import { judgeCall } from '../../../domain/judge-call.ts'
import { explainedDecision } from '../../../domain/explained-decision.ts'
import { importPolicy, policyText } from '../../../domain/onboarding/import-policy.ts'
import { inputLines } from '../../../domain/describe.ts'
import { visibleText } from '../../../domain/visible-text.ts'
import { examples, outputOf } from '../program-output.ts'
import { noteReading, readAll } from '../read-input.ts'
import { withHost } from '../with-host.ts'
import { parseSessionId } from './session-commands.ts'

const MAX_INPUT_BYTES = 8 * 1024 * 1024
/** Few enough that an answer of the longest entries fits one frame. */
const ENTRIES_A_PAGE = 25

const policyFor = async (cwd: string, profile: string | undefined): Promise<Policy> =>
  (await loadProfile({ cwd, configFolder: resolvePaths(process.env).config, name: profile, command: [] })).policy

const parseInput = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown
  } catch (error) {
    throw new HoldfastError('bad-params', `The tool's input is not JSON: ${error instanceof Error ? error.message : String(error)}. Give an object, such as {"command":"ls"}.`)
  }
}

const addCheck = (policy: Command): void => {
  policy
    .command('check')
    .summary('say whether a profile file is valid, and what its rules are')
    .argument('[file]', 'holdfast.yaml here, or a profile of yours', 'holdfast.yaml')
    .addHelpText('after', examples('holdfast policy check', 'holdfast policy check ~/.config/holdfast/profiles/default.yaml'))
    .action(async (file: string, _options: unknown, self: Command) => {
      const path = resolve(file)
      const origin = basename(path) === 'holdfast.yaml' ? 'project' : 'user'
      const read = await readProfileFile(path, origin)
      if (read === null) throw new HoldfastError('not-found', `There is no file ${path}. Give the profile's path.`)
      const rules = read.layer.rules.map(({ rule, effect, source }) => ({ effect, rule: rule.text, source }))
      outputOf(self).result({ file: path, ok: true, origin, rules }, [
        `${path} is valid, as a ${origin}'s file${origin === 'project' ? ', which can only tighten' : ''}.`,
        ...rules.map(({ effect, rule, source }) => `  ${effect.padEnd(5)}  ${visibleText(rule)}  (${visibleText(source)})`),
      ])
    })
}

const explainHere = async (tool: string, input: unknown, cwd: string, profile: string | undefined): Promise<ExplainedDecision> => {
  const policy = await policyFor(cwd, profile)
  return explainedDecision(policy, judgeCall({ policy, tool, input, cwd, home: homedir(), readFile: createProjectReader(cwd) }))
}

const explainIn = (sessionId: SessionId, tool: string, input: unknown): Promise<ExplainedDecision> =>
  withHost((client) => client.call('policy/explain', { sessionId, tool, input }))

const addExplain = (policy: Command): void => {
  policy
    .command('explain')
    .summary('say how one tool call would be decided, and why')
    .requiredOption('--tool <name>', 'the tool, as rules name it: Bash, Write, mcp__server__tool')
    .option('--input <json>', 'what the tool is given; without it, from standard input')
    .option('--profile <name>', 'an agent profile from your config folder')
    .option('--cwd <folder>', "the session's folder (default: here)")
    .option('--session <id>', 'as decided in a session that runs, with the rules and answers given for it')
    .addHelpText(
      'after',
      examples(`holdfast policy explain --tool Bash --input '{"command":"git push --force"}'`, `echo '{"file_path":"/etc/hosts"}' | holdfast policy explain --tool Write --profile frontend`),
    )
    .action(async (options: { tool: string; input?: string; profile?: string; cwd?: string; session?: string }, self: Command) => {
      const cwd = resolve(options.cwd ?? process.cwd())
      if (options.input === undefined) noteReading("the tool's input")
      const input = parseInput(options.input ?? (await readAll(MAX_INPUT_BYTES)))
      const decision = options.session === undefined ? await explainHere(options.tool, input, cwd, options.profile) : await explainIn(parseSessionId(options.session), options.tool, input)
      const { effect, classification, granted } = decision
      outputOf(self).result({ tool: options.tool, input, cwd, ...decision }, [
        `${effect.toUpperCase()}: ${visibleText(options.tool)} ${options.session === undefined ? `in ${visibleText(cwd)}` : `in session ${options.session}`}`,
        ...inputLines(input).map((line) => `    ${line}`),
        `  class     ${classification.class}`,
        ...classification.reasons.map((reason) => `  because   ${visibleText(reason)}`),
        ...(granted == null ? [] : [`  granted   by an answer ${granted === 'session' ? 'for this session' : 'for always'}, so that nobody is asked`]),
        ...decision.rules.map((rule) => `  rule      ${rule.effect} ${visibleText(rule.rule)} (${rule.source === rule.layer ? rule.layer : `${rule.layer}: ${visibleText(rule.source)}`})`),
      ])
    })
}

const differenceLines = ({ toolCallId, tool, input, was, now }: ReplayDifference): string[] => [
  `${was} → ${now.effect}  ${toolCallId}  ${visibleText(tool)} (${now.classification.class})`,
  ...inputLines(input).slice(0, 3).map((line) => `    ${line}`),
  ...now.rules.filter(({ effect }) => effect === now.effect).map((rule) => `    by ${rule.effect} ${visibleText(rule.rule)} (${visibleText(rule.source)})`),
]

const addReplay = (policy: Command): void => {
  policy
    .command('replay')
    .summary('say which past calls your rules of today would decide otherwise')
    .description('Takes every tool call in the audit log, judges it by the profile as it is now and the holdfast.yaml of its folder, and lists what differs.\nNothing is run or changed.')
    .option('--profile <name>', 'an agent profile from your config folder')
    .option('--session <id>', 'calls of one session alone')
    .addHelpText('after', examples('holdfast policy replay', 'holdfast policy replay --profile strict --json'))
    .action(async (options: { profile?: string; session?: string }, self: Command) => {
      const session = options.session === undefined ? {} : { sessionId: parseSessionId(options.session) }
      const replay = createReplay((cwd) => policyFor(cwd, options.profile), homedir())
      await withHost(async (client) => {
        for (let after = 0; ; ) {
          const { entries } = await client.call('ledger/read', { after, last: ENTRIES_A_PAGE, ...session })
          for (const entry of entries) await replay.take(entry)
          const last = entries.at(-1)
          if (last === undefined) return
          after = last.sequence
        }
      })
      const { differences, ...counts } = replay.result()
      outputOf(self).result({ ...counts, differences }, [
        ...differences.flatMap(differenceLines),
        `${counts.calls} calls: ${counts.same} decided alike, ${counts.stricter} more strictly, ${counts.laxer} less strictly, ${counts.incomplete} not recorded whole.`,
      ])
    })
}

const addImport = (policy: Command): void => {
  policy
    .command('import')
    .summary("offer Claude Code's permissions and a CLAUDE.md's boundaries as a policy")
    .description('Reads the permissions in your ~/.claude/settings.json and in .claude/ here, and the lists of forbidden and allowed actions in CLAUDE.md and AGENTS.md.\nPrints rules for a profile, each with where it comes from, and what could not be turned into one. Changes nothing.')
    .option('--cwd <folder>', "the project's folder (default: here)")
    .addHelpText('after', examples('holdfast policy import', 'holdfast policy import --cwd ~/web > policy.yaml'))
    .action(async (options: { cwd?: string }, self: Command) => {
      const cwd = resolve(options.cwd ?? process.cwd())
      const claudeFolder = process.env['CLAUDE_CONFIG_DIR'] ?? join(homedir(), '.claude')
      const project = await readProject(cwd, claudeFolder)
      const facts = { packageManager: project.packageManager, scripts: project.scripts, servers: Object.keys(project.mcp.mcpServers) }
      const imported = importPolicy(await readPermissions(cwd, claudeFolder), project.boundaries, facts)
      outputOf(self).result(imported, policyText(imported).trimEnd().split('\n'))
    })
}

/** `policy check|explain|replay|import|schema`. */
export const addPolicyCommands = (program: Command): void => {
  const policy = program
    .command('policy')
    .summary('what agents may do: check, explain and try out rules')
    .description('Rules for tool calls, as profiles hold them. Nothing here changes a rule or runs a call.')
    .addHelpText('after', examples('holdfast policy check', `holdfast policy explain --tool Bash --input '{"command":"git push"}'`, 'holdfast policy replay'))
  addCheck(policy)
  addExplain(policy)
  addReplay(policy)
  addImport(policy)

  policy
    .command('schema')
    .summary('print the JSON Schema of holdfast.yaml, for your editor')
    .addHelpText('after', examples('holdfast policy schema > holdfast.schema.json', '# first line of holdfast.yaml then: # yaml-language-server: $schema=holdfast.schema.json'))
    .action(() => void process.stdout.write(`${JSON.stringify(z.toJSONSchema(ProfileFile, { target: 'draft-7' }), null, 2)}\n`))
}
