import { type Call, programOf, runInput, type ScriptHooks } from './call.ts'
import { familyOf } from './families/index.ts'
import { judgeFamily, valuesOfOption } from './family.ts'
import { destructive, read, shown, write } from './finding.ts'
import { judgeWrittenPath, type Place, resolvePath } from './paths.ts'
import { judgeRunner, runsCode } from './run-code.ts'
import { type Input, MAX_DEPTH, type ShellState } from './shell-state.ts'
import { isSpecial, judgeSpecial } from './special.ts'
import { saysDestroys, saysReleases } from './verbs.ts'
import { RUNS_QUOTED, SCANNED, SCRIPT_OPTIONS, unwrap, type Wrapper, WRAPPERS } from './wrappers.ts'

const MAX_SCANNED = 24
const MAX_UNKNOWN = 8
const RUNS_TARGETS = /^(npm|pnpm|yarn|bun|make|gmake)$/

/** Of a program by its name alone: whether one of its first words, an option or its own name says that it destroys or publishes. */
const isToldToDestroy = (program: string, args: readonly string[]): boolean => {
  if (args.some((argument) => /^(--dry-run|--help|--version|--noop|--check)$/.test(argument))) return false
  const words = args.filter((argument) => !argument.startsWith('-')).slice(0, 3)
  const options = args.filter((argument) => argument.startsWith('-')).map((argument) => argument.replace(/^-+|-(all|everything)$/g, '')).filter((option) => !option.includes('-'))
  return [...words, ...options, program].some(saysDestroys) || words.slice(0, 2).some(saysReleases)
}

/** Whether a program is a file of the project, by its path. */
const isOfProject = (name: string, place: Place): boolean =>
  name.includes('/') && (place.projectFolder === null ? !name.startsWith('/') && !name.startsWith('~') : `${resolvePath(name, place)}/`.startsWith(`${place.projectFolder}/`))
const WRAPPER_OF = new Map<string, Wrapper>(WRAPPERS.flatMap((wrapper) => wrapper.names.map((name) => [name, wrapper] as const)))
/** Programs that do more than to run SQL or code, even when they are given some. */
const ALSO_MORE: ReadonlySet<string> = new Set(['heroku', 'aws', 'wrangler', 'bun', 'deno'])

const isProgram = (name: string): boolean =>
  familyOf(name) !== undefined || WRAPPER_OF.has(name) || runsCode(name) || isSpecial(name) || SCANNED.has(name) || RUNS_QUOTED.has(name)

/** What sudo, env, timeout and the like run in the end; the command itself when it is none of these. */
export const commandBehind = (argv: readonly string[]): readonly string[] => {
  let command = argv
  for (let depth = 0; depth < MAX_DEPTH; depth += 1) {
    const wrapper = WRAPPER_OF.get(programOf(command[0] ?? '') ?? '')
    if (wrapper === undefined || wrapper.joins) return command
    command = unwrap(wrapper, command.slice(1)).commands[0] ?? []
  }
  return command
}

const judgeNested = (call: Call, argv: readonly string[], input: Input, maybe: boolean): void => {
  const { state } = call
  if (argv.length === 0) return
  state.parseBudget -= argv.length
  if (state.depth >= MAX_DEPTH || state.parseBudget < 0) {
    state.findings.push(destructive(`${call.program}: too tangled to judge`))
    state.understood = false
    return
  }
  state.depth += 1
  judgeCommand(argv, input, state, { ...call.hooks, written: false, maybe })
  state.depth -= 1
}

const judgeWrapper = (wrapper: Wrapper, call: Call): void => {
  const { state, args, hooks } = call
  if (wrapper.harmless?.includes(args[0] ?? '') && (args[0] !== '-n' || args.length === 1)) {
    state.findings.push(read(`${call.program} ${args[0]}: only asks`))
    return
  }
  const { commands, assignments } = unwrap(wrapper, args)
  for (const assignment of assignments) {
    const end = assignment.indexOf('=')
    hooks.judgeVariable(assignment.slice(0, end), assignment.slice(end + 1))
  }
  if (wrapper.floor !== undefined) state.findings.push({ ...wrapper.floor, reason: `${call.program}: ${wrapper.floor.reason}` })
  const runsOption = SCRIPT_OPTIONS.get(call.program)?.some((option) => args.some((argument) => argument.startsWith(option)))
  if (commands.length === 0 || commands[0]?.length === 0) {
    if (wrapper.joins) runInput(call, 'a script')
    else if (call.program === 'newgrp') runInput(call, 'a script')
    else if (!runsOption && wrapper.bare !== undefined) {
      state.findings.push({ ...wrapper.bare, reason: `${call.program}: ${wrapper.bare.reason}` })
    }
    return
  }
  for (const command of commands) {
    if (wrapper.joins) hooks.runScript(command.join(' '), call.program, call.input)
    else call.run(command, call.input)
  }
}

/** Whether a program is known to do nothing but run another, and that was found. */
const scan = (call: Call): boolean => {
  const subs = SCANNED.get(call.program)
  if (subs === undefined || (subs !== null && !call.args.some((argument) => subs.includes(argument)))) return false
  let found = false
  let sawOther = false
  for (let i = 0; i < Math.min(call.args.length, MAX_SCANNED); i += 1) {
    const argument = call.args[i] ?? ''
    const program = argument.startsWith('-') || /[:=]/.test(argument) ? null : programOf(argument)
    if (program === null || (i === 0 && subs !== null)) continue
    if (program !== call.program && isProgram(program)) {
      found ||= !sawOther
      call.run(call.args.slice(i), call.input, 'maybe')
    } else if (!call.args[i - 1]?.startsWith('-')) sawOther = true
    const first = /^\S+(?=\s)/.exec(argument)?.[0]
    if (subs !== null && first !== undefined && isProgram(first)) call.hooks.runScript(argument, call.program)
  }
  return found && subs === null
}

const judgeKnown = (call: Call): boolean => {
  const { program, state } = call
  if (judgeSpecial(call)) return true
  const wrapper = WRAPPER_OF.get(program)
  if (wrapper !== undefined) {
    judgeWrapper(wrapper, call)
    return true
  }
  const runs = judgeRunner(call)
  const family = familyOf(program)
  if (family === undefined) return runs
  if (runs && !ALSO_MORE.has(program)) return true
  const { findings, written } = judgeFamily(family, [program, ...call.args])
  state.findings.push(...findings, ...written.map((path) => judgeWrittenPath(path, state.place)))
  return true
}

/** Judges one simple command, and whatever it runs in turn; what is found goes to `state`. */
export const judgeCommand = (argv: readonly string[], input: Input, state: ShellState, hooks: ScriptHooks): void => {
  const [name = ''] = argv
  state.commands.push({ argv, written: hooks.written, folder: state.place.folder })
  const program = programOf(name)
  if (program === null) {
    state.findings.push(destructive(`which program runs cannot be told: ${shown(argv.slice(0, 8).join(' '))}`))
    return
  }
  if (/[^\x21-\x7e]/.test(program)) {
    state.findings.push(destructive(`a program's name with look-alike or invisible characters: ${shown(program)}`))
    return
  }
  const args = argv.slice(1)
  const call: Call = { program, args, input, state, hooks, run: (inner, given, maybe) => judgeNested(call, inner, given, hooks.maybe || maybe === 'maybe') }
  const alias = state.aliases.get(name)
  if (alias !== undefined && alias.split(/\s/)[0] !== name) hooks.runScript(`${alias} ${args.join(' ')}`, `alias ${shown(name)}`)
  if (state.functions.has(name)) {
    hooks.callFunction(name, args)
    if (!isProgram(program)) return
  }
  for (const option of SCRIPT_OPTIONS.get(program) ?? []) {
    for (const script of valuesOfOption(args, option)) if (!script.startsWith('-')) hooks.runScript(script.replace(/^exec=/, ''), `${program} ${option}`)
  }
  for (const argument of RUNS_QUOTED.has(program) ? args : []) if (/\s/.test(argument)) hooks.runScript(argument, program)
  for (const argument of args) {
    const script = /^(?:-o)?(?:Proxy|Local|KnownHosts)Command[= ](.+)/s.exec(argument)?.[1]
    if (script !== undefined) hooks.runScript(script, program)
  }
  if (RUNS_TARGETS.test(program)) {
    for (const argument of /^g?make$/.test(program) ? args : []) {
      const [, variable, value = ''] = /^([A-Z_a-z]\w*)[:?+!]*=(.*)$/s.exec(argument) ?? []
      // Recipes get it in their environment.
      if (variable !== undefined && variable !== 'ENV') hooks.judgeVariable(variable, value)
    }
    hooks.runTargets(program, args)
  }
  const onlyRuns = scan(call)
  if (judgeKnown(call)) return
  if (onlyRuns) return void state.findings.push(write(`${shown(program)}: runs another program`))
  const lower = program.toLowerCase()
  if (lower !== program && isProgram(lower)) judgeKnown({ ...call, program: lower })
  const isOwn = hooks.maybe || isOfProject(name, state.place)
  if (isOwn && !hooks.maybe && hooks.runFile(name, null)) return
  const label = isOwn ? 'a program of the project' : 'a program that is not known'
  if (!hooks.maybe && isToldToDestroy(program, args)) state.findings.push(destructive(`${label}, told to destroy something: ${shown(argv.slice(0, 8).join(' '))}`))
  else state.findings.push(write(`runs ${label}: ${shown(program)}`))
  if (!isOwn && state.unknown.size < MAX_UNKNOWN) state.unknown.add(shown(program))
  const end = args.indexOf('--')
  if (end >= 0) call.run(args.slice(end + 1), input)
}
