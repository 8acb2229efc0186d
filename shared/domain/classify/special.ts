import { type Call, runInput } from './call.ts'
import { judgeAwk, judgeSed } from './code.ts'
import { familyOf } from './families/index.ts'
import { judgeFamily, readArguments, valuesOfOption } from './family.ts'
import { destructive, read, shown, write } from './finding.ts'
import { judgeWrittenPath, resolvePath } from './paths.ts'
import { isKnown, UNKNOWN } from './words.ts'
import { unwrap, unwrapPlaceholders, unwrapXargs } from './wrappers.ts'

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

/** A database's console, whose input is its commands when it is given none. */
const judgeConsole = ({ program, args, input, state }: Call): boolean => {
  const { words, options } = readArguments(args, new Set(['-h', '-p', '-n', '-a', '-u', '--host', '--port', '--user', '--pass']))
  const given = program.startsWith('mongo') ? options.some((option) => option.startsWith('--eval')) || words.length > 1 : words.length > 0
  if (given || input === 'none') return false
  const family = familyOf(program)
  if (input === 'unknown' || family === undefined) {
    state.findings.push(destructive(`${program}: runs commands that cannot be seen here`))
    return false
  }
  for (const line of input.text.split('\n')) state.findings.push(...judgeFamily(family, [program, ...line.trim().split(/\s+/)]).findings)
  return false
}

const PLACEHOLDER_OPTIONS = new Set(['-exec', '-execdir', '-ok', '-okdir'])
const FD_OPTIONS = new Set(['-x', '-X', '--exec', '--exec-batch'])

/** As long as a path may be on Linux. */
const MAX_FOLDER = 4_096

/** Commands whose meaning takes more than a table. False when what else is known of them holds as well. */
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
    const folder = isKnown(target) && target !== '-' ? resolvePath(target, state.place) || '.' : null
    state.place = { ...state.place, folder: folder !== null && folder.length <= MAX_FOLDER ? folder : null }
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
  mapfile: (call) => SPECIAL['read']?.(call) ?? true,
  readarray: (call) => SPECIAL['read']?.(call) ?? true,
  getopts: (call) => SPECIAL['read']?.(call) ?? true,
  printf: ({ args, hooks }) => {
    if (args[0] === '-v') hooks.assignTo(args[1] ?? '', null)
    return false
  },
  xargs: (call) => {
    const command = unwrapXargs(call.args)
    if (command !== null) call.run(command, 'none')
    return true
  },
  find: (call) => {
    for (const command of unwrapPlaceholders(call.args, PLACEHOLDER_OPTIONS)) call.run(command, 'none')
    return false
  },
  fd: (call) => {
    for (const command of unwrapPlaceholders(call.args, FD_OPTIONS)) call.run([...command, UNKNOWN], 'none')
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
    const hidden = options.some((option) => option.startsWith('-f')) && args.some((argument) => /^\/dev\/(fd\/|stdin)/.test(argument))
    if (hidden) state.findings.push(destructive('awk: runs a program that cannot be seen here'))
    const isFile = options.some((option) => option === '-f' || option.startsWith('--file'))
    const inPlace = args.some((argument, index) => argument === 'inplace' && /^(-i|--include)$/.test(args[index - 1] ?? ''))
    if (isFile || inPlace) state.findings.push(write(isFile ? 'awk: runs a program file' : 'awk: rewrites files in place'))
    if (!isFile) state.findings.push(judgeAwk(words[0] ?? ''))
    if (inPlace) state.findings.push(...words.slice(isFile ? 0 : 1).map((path) => judgeWrittenPath(path, state.place)))
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
  git: (call) => {
    judgeGitOptions(call)
    return false
  },
  'redis-cli': judgeConsole,
  'valkey-cli': judgeConsole,
  mongosh: judgeConsole,
  mongo: judgeConsole,
  dd: ({ args, state }) => {
    const target = args.find((argument) => argument.startsWith('of='))
    state.findings.push(target === undefined ? read('dd: prints') : judgeWrittenPath(target.slice(3), state.place))
    return true
  },
}

export const isSpecial = (program: string): boolean => Object.hasOwn(SPECIAL, program)

/** Judges a command that needs more than a table. False when it is none, or what else is known of it holds as well. */
export const judgeSpecial = (call: Call): boolean => isSpecial(call.program) && SPECIAL[call.program]?.(call) === true
