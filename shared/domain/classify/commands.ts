import { INTERPRETERS, judgeAwk, judgeCode, judgeSed } from './code.ts'
import { familyOf } from './families/index.ts'
import { judgeFamily, readArguments, valuesOfOption } from './family.ts'
import { destructive, type Finding, read, shown, write } from './finding.ts'
import { judgeWrittenPath, resolvePath } from './paths.ts'
import { type Input, MAX_DEPTH, type ShellState } from './shell-state.ts'
import { SQL_CLIENTS, type SqlClient } from './sql-clients.ts'
import { classifySql } from './classify-sql.ts'
import { isKnown, UNKNOWN } from './words.ts'
import {
  RUNS_QUOTED, SCANNED, SCRIPT_OPTIONS, unwrap, unwrapPlaceholders, unwrapXargs, type Wrapper, WRAPPERS,
} from './wrappers.ts'

/** What the reader of the script offers to a command that runs, or changes, more of it. */
export interface ScriptHooks {
  runScript(script: string, why: string): void
  assignTo(name: string, value: string | null): void
  judgeVariable(name: string, value: string): void
  /** Whether the command stands in the line itself, not in another command's arguments. */
  readonly written: boolean
}

interface Call {
  readonly program: string
  readonly argv: readonly string[]
  readonly args: readonly string[]
  readonly input: Input
  readonly state: ShellState
  readonly hooks: ScriptHooks
}

const MAX_SCANNED = 24

const WRAPPER_OF = new Map<string, Wrapper>(WRAPPERS.flatMap((wrapper) => wrapper.names.map((name) => [name, wrapper] as const)))
const INTERPRETER_OF = new Map(INTERPRETERS.flatMap((entry) => entry.names.map((name) => [name, entry] as const)))
const SHELLS = new Set(['sh', 'bash', 'zsh', 'dash', 'ash', 'ksh', 'mksh', 'fish', 'rbash', 'yash', 'csh', 'tcsh', 'osh', 'hush'])

const SQL_CLIENTS_OF = new Map<string, SqlClient[]>()
for (const client of SQL_CLIENTS) {
  for (const name of client.names) SQL_CLIENTS_OF.set(name, [...(SQL_CLIENTS_OF.get(name) ?? []), client])
}

/** A program's name without folder, `.exe` and version: `/usr/bin/python3.12` → `python`. Null when it cannot be told. */
export const programOf = (name: string): string | null => {
  const base = name.slice(Math.max(name.lastIndexOf('/'), name.lastIndexOf('\\')) + 1)
  if (base === '' || !isKnown(base)) return null
  const plain = base.replace(/\.(exe|cmd|bat)$/i, '')
  const versioned = /^(python|pypy|node|perl|ruby|php|pip|lua|awk|bash|clang|gcc|psql|mkfs)[-.\d]/.exec(plain)?.[1]
  return versioned ?? plain
}

const runInput = (call: Call, what: string): void => {
  const { input, hooks, state } = call
  if (input === 'unknown') state.findings.push(destructive(`${call.program}: runs ${what} that cannot be seen here`))
  else if (input !== 'none') hooks.runScript(input.text, `${call.program} from its input`)
}

const judgeNested = (call: Call, argv: readonly string[], input: Input): void => {
  const { state } = call
  if (argv.length === 0) return
  state.parseBudget -= argv.length
  if (state.depth >= MAX_DEPTH || state.parseBudget < 0) {
    state.findings.push(destructive(`${call.program}: too tangled to judge`))
    state.understood = false
    return
  }
  state.depth += 1
  judgeCommand(argv, input, state, { ...call.hooks, written: false })
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
    else if (!runsOption && wrapper.bare !== undefined) {
      state.findings.push({ ...wrapper.bare, reason: `${call.program}: ${wrapper.bare.reason}` })
    }
    return
  }
  for (const command of commands) {
    if (wrapper.joins) hooks.runScript(command.join(' '), call.program)
    else judgeNested(call, command, call.input)
  }
}

const judgeShell = (call: Call): void => {
  const { args, hooks, state } = call
  let commandFollows = false
  let readsInput = false
  let checksOnly = false
  for (let i = 0; i < args.length; i += 1) {
    const argument = args[i] ?? ''
    if (argument === '--help' || argument === '--version') return void state.findings.push(read(`${call.program}: prints help`))
    if (argument === '--command' || (/^[-+][a-zA-Z]+$/.test(argument) && argument.includes('c'))) commandFollows = true
    else if (argument === '-' || /^-[a-zA-Z]*s[a-zA-Z]*$/.test(argument)) readsInput = true
    else if (argument === '-o' || argument === '-O' || argument === '--rcfile' || argument === '--init-file') i += 1
    else if (argument === '-n') checksOnly = true
    else if (argument.startsWith('-') || argument.startsWith('+')) continue
    else if (commandFollows) return hooks.runScript(argument, `${call.program} -c`)
    else if (readsInput) break
    else if (checksOnly) return void state.findings.push(read(`${call.program} -n: only checks a script`))
    else if (/^\/dev\/(fd\/|stdin)/.test(argument)) {
      return void state.findings.push(destructive(`${call.program}: runs a script that cannot be seen here`))
    } else return void state.findings.push(write(`runs the script ${shown(argument)}`))
  }
  if (call.input === 'none') state.findings.push(write(`opens a shell: ${call.program}`))
  else runInput(call, 'a script')
}

const judgeInterpreter = (call: Call): void => {
  const { args, state, program, input } = call
  const interpreter = INTERPRETER_OF.get(program)
  if (interpreter === undefined) return
  const judge = (code: string) => state.findings.push(judgeCode(code, program, interpreter.backticksRun === true, state.place))
  const valueOptions = new Set(interpreter.valueOptions)
  let hasCode = false
  for (let i = 0; i < args.length; i += 1) {
    const argument = args[i] ?? ''
    if (interpreter.backticksRun && /^-[a-zA-Z0-9]*i/.test(argument)) {
      state.findings.push(write(`${program} -i: rewrites files in place`))
    }
    const isCluster = interpreter.backticksRun === true && /^-[a-zA-Z0-9]*[eE]$/.test(argument)
    const attached = interpreter.codeOptions.find((option) =>
      option.startsWith('--') ? argument.startsWith(`${option}=`) : option.length === 2 && option === '-c' && /^-c./.test(argument))
    if (interpreter.codeOptions.includes(argument) || isCluster || argument === '-Ic' || (argument === 'eval' && i === 0)) {
      i += 1
      hasCode = true
      judge(program === 'pwsh' || program === 'powershell' ? args.slice(i).join(' ') : (args[i] ?? UNKNOWN))
    } else if (attached !== undefined) {
      hasCode = true
      judge(argument.slice(attached.length).replace(/^=/, ''))
    } else if (argument === '-m' && program.startsWith('py')) {
      state.findings.push(args[i + 1] === 'json.tool' ? read('formats JSON') : write(`${program} -m ${shown(args[i + 1] ?? '')}`))
      return judgeNested(call, args.slice(i + 1), input)
    } else if (/^-(enc|EncodedCommand|e)\w*$/i.test(argument) && /^(pwsh|powershell)$/.test(program)) {
      return void state.findings.push(destructive(`${program}: runs an encoded command`))
    } else if (/^(-V|-v|--version|--help|-h|--check)$/.test(argument)) {
      return void state.findings.push(read(`${program} ${argument}`))
    } else if (valueOptions.has(argument)) i += 1
    else if (/^\/dev\/(fd\/|stdin)/.test(argument)) {
      return void state.findings.push(destructive(`${program}: runs code that cannot be seen here`))
    } else if (argument === '-') break
    else if (!argument.startsWith('-')) {
      if (hasCode) return
      state.findings.push(write(`runs ${program} ${shown(argument)}`))
      if (isProgram(programOf(argument) ?? '')) judgeNested(call, args.slice(i), input)
      return
    }
  }
  if (hasCode) return
  if (input === 'unknown') state.findings.push(destructive(`${program}: runs code that cannot be seen here`))
  else if (input === 'none') state.findings.push(write(`opens ${program}`))
  else judge(input.text)
}

/** False when the arguments are not those of an SQL session, so that the program's other rules hold. */
const judgeSqlClient = (client: SqlClient, call: Call): boolean => {
  const { args, state, program } = call
  const { words } = readArguments(args, new Set([...(client.valueOptions ?? []), ...client.sqlOptions, ...(client.fileOptions ?? [])]))
  if (client.after?.some((word, index) => words[index] !== word)) return false
  if (args.some((argument) => /^(--help|--version|-V|-\?)$/.test(argument)) || (program === 'psql' && args.includes('-l'))) {
    state.findings.push(read(`${program}: prints help or a list`))
    return true
  }
  const texts = client.sqlOptions.flatMap((option) => valuesOfOption(args, option))
  if (client.sqlFromWord !== undefined) texts.push(...words.slice(client.sqlFromWord))
  for (const text of texts) {
    if (text.replaceAll(UNKNOWN, '').trim() === '') state.findings.push(destructive(`${program}: runs SQL that cannot be seen here`))
    else state.findings.push(...toFindings(classifySql(text)))
    const shell = /^\s*\\!\s*(.+)$/s.exec(text)?.[1] ?? /^\s*\.(?:shell|system)\s+(.+)$/s.exec(text)?.[1]
    if (shell !== undefined) call.hooks.runScript(shell, `${program} from its input`)
  }
  const files = (client.fileOptions ?? []).flatMap((option) => valuesOfOption(args, option)).filter((file) => file !== '-')
  for (const file of files) state.findings.push(destructive(`${program}: runs ${shown(file)}, whose SQL cannot be seen here`))
  if (texts.length > 0 || files.length > 0) return true
  if (call.input === 'unknown') state.findings.push(destructive(`${program}: runs SQL that cannot be seen here`))
  else if (call.input === 'none') state.findings.push(write(`opens ${program}`))
  else state.findings.push(...toFindings(classifySql(call.input.text)))
  return true
}

const toFindings = (classification: { class: Finding['class']; reasons: readonly string[] }): Finding[] =>
  classification.reasons.map((reason) => ({ class: classification.class, reason }))

const PLACEHOLDER_OPTIONS = new Set(['-exec', '-execdir', '-ok', '-okdir'])
const FD_OPTIONS = new Set(['-x', '-X', '--exec', '--exec-batch'])

/** Commands whose meaning takes more than a table. True when nothing more is to be asked about them. */
const SPECIAL: Readonly<Record<string, (call: Call) => boolean>> = {
  eval: ({ args, hooks }) => {
    hooks.runScript(args.join(' '), 'eval')
    return true
  },
  trap: ({ args, hooks }) => {
    const script = args[0] === '--' ? args[1] : args[0]
    if (script !== undefined && !script.startsWith('-') && args.length > 1) hooks.runScript(script, 'trap')
    return true
  },
  alias: ({ args, hooks, state }) => {
    for (const argument of args) {
      const end = argument.indexOf('=')
      if (end < 1) continue
      state.aliases.set(argument.slice(0, end), argument.slice(end + 1))
      hooks.runScript(argument.slice(end + 1), `alias ${shown(argument.slice(0, end))}`)
    }
    return true
  },
  cd: ({ args, state }) => {
    const target = args.find((argument) => !argument.startsWith('-') || argument === '-') ?? '~'
    const known = isKnown(target) && target !== '-'
    state.place = { ...state.place, folder: known ? resolvePath(target, state.place) || '.' : null }
    return true
  },
  pushd: (call) => SPECIAL['cd']?.(call) ?? true,
  popd: ({ state }) => {
    state.place = { ...state.place, folder: null }
    return true
  },
  read: ({ args, hooks }) => {
    for (const argument of args) if (/^\w+$/.test(argument)) hooks.assignTo(argument, null)
    return true
  },
  xargs: (call) => {
    const command = unwrapXargs(call.args)
    if (command !== null) judgeNested(call, command, 'none')
    return true
  },
  find: (call) => {
    for (const command of unwrapPlaceholders(call.args, PLACEHOLDER_OPTIONS)) judgeNested(call, command, 'none')
    return false
  },
  fd: (call) => {
    for (const command of unwrapPlaceholders(call.args, FD_OPTIONS)) judgeNested(call, [...command, UNKNOWN], 'none')
    return false
  },
  parallel: (call) => {
    const end = call.args.findIndex((argument) => /^::::?\+?$/.test(argument))
    const { commands } = unwrap({ names: [], valueOptions: ['-j', '-P', '-n', '-N', '-a', '--jobs', '--colsep', '-d', '-I'] },
      end < 0 ? call.args : call.args.slice(0, end))
    const command = commands[0]
    if (command === undefined) call.state.findings.push(destructive('parallel: runs command lines that cannot be seen here'))
    else call.hooks.runScript([...command, UNKNOWN].join(' ').replace(/\{[^{}]{0,8}\}/g, UNKNOWN), 'parallel')
    return true
  },
  source: (call) => {
    const file = call.args[0] ?? ''
    const hidden = /^\/dev\/(fd\/|stdin)/.test(file)
    call.state.findings.push(hidden ? destructive('source: runs a script that cannot be seen here') : write(`runs the script ${shown(file)}`))
    return true
  },
  '.': (call) => SPECIAL['source']?.(call) ?? true,
  at: (call) => {
    runInput(call, 'a script')
    return false
  },
  batch: (call) => SPECIAL['at']?.(call) ?? false,
  awk: ({ args, state }) => {
    const { words, options } = readArguments(args, new Set(['-F', '-v', '-f', '-i', '--file', '--include']))
    const isFile = options.some((option) => option === '-f' || option.startsWith('--file'))
    const inPlace = args.some((argument, index) => argument === 'inplace' && /^(-i|--include)$/.test(args[index - 1] ?? ''))
    if (isFile || inPlace) state.findings.push(write(isFile ? 'awk: runs a program file' : 'awk: rewrites files in place'))
    if (!isFile) state.findings.push(judgeAwk(words[0] ?? ''))
    return true
  },
  gawk: (call) => SPECIAL['awk']?.(call) ?? true,
  mawk: (call) => SPECIAL['awk']?.(call) ?? true,
  sed: ({ args, state }) => {
    const given = [...valuesOfOption(args, '-e'), ...valuesOfOption(args, '--expression')]
    const { words, options } = readArguments(args, new Set(['-e', '-f', '-l', '--expression', '--file']))
    const scripts = given.length > 0 ? given : words.slice(0, 1)
    for (const script of scripts) {
      const finding = judgeSed(script)
      if (finding !== null) state.findings.push(finding)
    }
    if (options.some((option) => /^(-[nErsuz]*i|--in-place)/.test(option))) {
      const files = (given.length > 0 ? words : words.slice(1)).filter((word) => word !== '')
      state.findings.push(write('sed -i: rewrites files in place'), ...files.map((file) => judgeWrittenPath(file, state.place)))
    } else state.findings.push(read('sed: prints'))
    return true
  },
  gsed: (call) => SPECIAL['sed']?.(call) ?? true,
  dd: ({ args, state }) => {
    const target = args.find((argument) => argument.startsWith('of='))
    state.findings.push(target === undefined ? read('dd: prints') : judgeWrittenPath(target.slice(3), state.place))
    return true
  },
}

const GIT_RUNS = /^(core\.(pager|editor|sshcommand|fsmonitor|askpass|gitproxy)|sequence\.editor|diff\.external|credential\..*helper|credential\.helper|pager\..*|.*\.(textconv|clean|smudge|process|driver|cmd|command|uploadpack|receivepack)|gpg\.program|gpg\..*\.program|browser\..*|ssh\.variant|alias\..*)$/i
const GIT_OPENS = /^(core\.hookspath|core\.worktree|include\.path|includeif\..*|init\.templatedir|protocol\..*|url\..*)$/i

const judgeGitOptions = (call: Call): void => {
  const settings = valuesOfOption(call.args.slice(0, 64), '-c')
  for (const setting of settings) {
    const end = setting.indexOf('=')
    const name = end < 0 ? setting : setting.slice(0, end)
    const value = end < 0 ? '' : setting.slice(end + 1)
    if (/^alias\./i.test(name)) {
      if (value.startsWith('!')) call.hooks.runScript(value.slice(1), `git ${name}`)
      else call.hooks.runScript(`git ${value} ${call.args.slice(call.args.indexOf(name.slice(6)) + 1).join(' ')}`, `git ${name}`)
    } else if (GIT_RUNS.test(name) && value !== '' && !/^(cat|less|true|false|0|1|store|cache|osxkeychain|manager)$/.test(value)) {
      call.hooks.runScript(value.replace(/^!/, ''), `git -c ${name}`)
    } else if (GIT_OPENS.test(name)) call.state.findings.push(destructive(`git -c ${shown(setting)}: lets git run or reach something else`))
  }
}

const scan = (call: Call): void => {
  const subs = SCANNED.get(call.program)
  if (subs === undefined || (subs !== null && !call.args.some((argument) => subs.includes(argument)))) return
  for (let i = 0; i < Math.min(call.args.length, MAX_SCANNED); i += 1) {
    const argument = call.args[i] ?? ''
    const program = argument.startsWith('-') ? null : programOf(argument)
    if (program === null || i === 0 && subs !== null) continue
    if (program !== call.program && isProgram(program)) judgeNested(call, call.args.slice(i), call.input)
    const first = /^\S+(?=\s)/.exec(argument)?.[0]
    if (first !== undefined && isProgram(first)) call.hooks.runScript(argument, call.program)
  }
}

const isProgram = (name: string): boolean =>
  familyOf(name) !== undefined || WRAPPER_OF.has(name) || SHELLS.has(name) || INTERPRETER_OF.has(name)
  || SQL_CLIENTS_OF.has(name) || name in SPECIAL || SCANNED.has(name)

const judgeKnown = (call: Call): boolean => {
  const { program, state } = call
  if (Object.hasOwn(SPECIAL, program) && SPECIAL[program]?.(call)) return true
  const wrapper = WRAPPER_OF.get(program)
  if (wrapper !== undefined) {
    judgeWrapper(wrapper, call)
    return true
  }
  if (SHELLS.has(program)) {
    judgeShell(call)
    return true
  }
  if (INTERPRETER_OF.has(program)) {
    judgeInterpreter(call)
    return true
  }
  if (program === 'git') judgeGitOptions(call)
  const isSql = SQL_CLIENTS_OF.get(program)?.map((client) => judgeSqlClient(client, call)).includes(true)
  const family = familyOf(program)
  if (family === undefined) return isSql === true
  if (isSql && program !== 'heroku' && program !== 'aws' && program !== 'wrangler') return true
  const { findings, written } = judgeFamily(family, [program, ...call.args])
  state.findings.push(...findings, ...written.map((path) => judgeWrittenPath(path, state.place)))
  return true
}

/** Judges one simple command, and whatever it runs in turn; what is found goes to `state`. */
export const judgeCommand = (argv: readonly string[], input: Input, state: ShellState, hooks: ScriptHooks): void => {
  const [name = ''] = argv
  state.commands.push({ argv, written: hooks.written })
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
  const call: Call = { program, argv, args, input, state, hooks }
  const alias = state.aliases.get(name)
  if (alias !== undefined && alias.split(/\s/)[0] !== name) hooks.runScript(`${alias} ${args.join(' ')}`, `alias ${shown(name)}`)
  if (state.functions.has(name)) {
    if (state.readingFunction === name) state.findings.push(destructive(`${shown(name)}: calls itself without end`))
    return
  }
  for (const option of SCRIPT_OPTIONS.get(program) ?? []) {
    for (const script of valuesOfOption(args, option)) {
      if (option.length > 2 || args.includes(option)) hooks.runScript(script.replace(/^exec=/, ''), `${program} ${option}`)
    }
  }
  for (const argument of RUNS_QUOTED.has(program) ? args : []) if (/\s/.test(argument)) hooks.runScript(argument, program)
  for (const argument of args) {
    const script = /^(?:-o)?(?:Proxy|Local|KnownHosts)Command[= ](.+)/s.exec(argument)?.[1]
    if (script !== undefined) hooks.runScript(script, program)
  }
  scan(call)
  if (judgeKnown(call)) return
  const lower = program.toLowerCase()
  if (lower !== program && isProgram(lower)) judgeKnown({ ...call, program: lower })
  state.findings.push(write(`runs a program that is not known: ${shown(program)}`))
  const end = args.indexOf('--')
  if (end >= 0) judgeNested(call, args.slice(end + 1), input)
}
