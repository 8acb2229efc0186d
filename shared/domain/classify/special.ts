import { type Call, runInput } from './call.ts'
import { judgeAwk, judgeSed } from './code.ts'
import { judgeEditor, judgeEditorScript, judgeTransfer } from './consoles.ts'
import { familyOf } from './families/index.ts'
import { judgeFamily, readArguments, valuesOfOption } from './family.ts'
import { destructive, read, shown, write } from './finding.ts'
import { isLossToEmpty, judgeWrittenPath, resolvePath } from './paths.ts'
import { HIDDEN, isKnown, UNKNOWN } from './unknown.ts'
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
  if (input === 'unknown' || input === 'hidden' || family === undefined) {
    state.findings.push(destructive(`${program}: runs commands that cannot be seen here`))
    return false
  }
  for (const line of input.text.split('\n')) state.findings.push(...judgeFamily(family, [program, ...line.trim().split(/\s+/)]).findings)
  return false
}

/** Files that curl and wget make, whose content nobody has seen. */
const noteFetched = ({ args, hooks }: Call, options: readonly string[], named: RegExp): void => {
  const targets = options.flatMap((option) => valuesOfOption(args, option)).filter((path) => path !== '-')
  for (const path of targets) hooks.noteFile(path, 'unknown')
  if (targets.length > 0 || !args.some((argument) => named.test(argument))) return
  for (const argument of args) {
    const name = /^(?:https?|ftp):\/\/[^?#]*\/([^/?#]+)/.exec(argument)?.[1]
    if (name !== undefined) hooks.noteFile(name, 'unknown')
  }
}

/** What a copy holds is what its one source holds. */
const noteCopy = ({ args, input, hooks }: Call): boolean => {
  const [source, target, more] = readArguments(args, new Set(['-m', '-o', '-g', '-S'])).words
  if (source === undefined || target === undefined || more !== undefined) return false
  const content = source === '/dev/stdin' ? input : hooks.fileContent(source)
  if (content !== null) hooks.noteFile(target, content)
  return false
}

const PLACEHOLDER_OPTIONS = new Set(['-exec', '-execdir', '-ok', '-okdir'])
const FD_OPTIONS = new Set(['-x', '-X', '--exec', '--exec-batch'])

/** Past the values that a variable is followed through. */
const MAX_LINES = 16

const NO_VALUES: ReadonlySet<string> = new Set()

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
  read: ({ args, input, state, hooks }) => {
    const names = args.filter((argument, index) => /^\w+$/.test(argument) && !/^-[dinNptu]$/.test(args[index - 1] ?? ''))
    const isArray = args.some((argument) => /^-[a-zA-Z]*a$/.test(argument))
    const known = typeof input === 'object' && state.variables.get('IFS') === ' '
    if (!known) {
      const value = input === 'hidden' || typeof input === 'object' ? HIDDEN : null
      for (const name of names) {
        hooks.assignTo(name, value)
        if (isArray && value !== null) state.variables.setArray(name, [value])
      }
      return true
    }
    for (const line of input.text.trim().split('\n', MAX_LINES)) {
      const values = line.trim().split(/\s+/)
      names.forEach((name, index) => {
        if (isArray) state.variables.setArray(name, values)
        else hooks.assignTo(name, index === names.length - 1 ? values.slice(index).join(' ') : (values[index] ?? ''))
      })
    }
    return true
  },
  mapfile: ({ args, input, state, hooks }) => {
    for (const name of args.filter((argument) => /^[A-Za-z_]\w*$/.test(argument))) {
      hooks.assignTo(name, null)
      if (typeof input === 'object') state.variables.setArray(name, input.text.trim().split(/\s+/))
      else if (input === 'hidden') state.variables.setArray(name, [HIDDEN])
    }
    return true
  },
  readarray: (call) => SPECIAL['mapfile']?.(call) ?? true,
  getopts: ({ args, hooks }) => {
    for (const argument of args) if (/^\w+$/.test(argument)) hooks.assignTo(argument, null)
    return true
  },
  set: ({ args, hooks }) => {
    const end = args.indexOf('--')
    if (end >= 0) hooks.setArguments(args.slice(end + 1))
    else if (args[0] !== undefined && !/^[-+]/.test(args[0])) hooks.setArguments(args)
    return true
  },
  shift: ({ args, state, hooks }) => {
    const before = state.variables.arguments()
    hooks.setArguments(before === null ? null : before.slice(Number(args[0] ?? 1) || 1))
    return true
  },
  printf: ({ args, hooks }) => {
    if (args[0] === '-v') hooks.assignTo(args[1] ?? '', null)
    return false
  },
  xargs: (call) => {
    for (const command of unwrapXargs(call.args, call.input)) call.run(command, 'none')
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
  fdfind: (call) => SPECIAL['fd']?.(call) ?? false,
  ed: (call) => {
    const { input, state } = call
    if (input === 'unknown' || input === 'hidden') state.findings.push(destructive(`${call.program}: runs commands that cannot be seen here`))
    else if (input !== 'none') judgeEditorScript(call, input.text)
    return call.program === 'ex' ? judgeEditor(call) : false
  },
  ex: (call) => SPECIAL['ed']?.(call) ?? false,
  parallel: (call) => {
    const end = call.args.findIndex((argument) => /^::::?\+?$/.test(argument))
    const { commands } = unwrap({ names: [], valueOptions: ['-j', '-P', '-n', '-N', '-a', '--jobs', '--colsep', '-d', '-I'] },
      end < 0 ? call.args : call.args.slice(0, end))
    const command = commands[0]
    if (call.args.some((argument) => /^--dry-?run$/.test(argument))) call.state.findings.push(read('parallel: only shows what it would run'))
    else if (command === undefined) call.state.findings.push(destructive('parallel: runs command lines that cannot be seen here'))
    else call.hooks.runScript([...command, UNKNOWN].join(' ').replace(/\{[^{}]{0,8}\}/g, UNKNOWN), 'parallel')
    return true
  },
  source: (call) => {
    const file = call.args[0] ?? ''
    const hidden = /^\/dev\/(fd\/|stdin)/.test(file)
    call.state.findings.push(hidden ? destructive('source: runs a script that cannot be seen here') : write(`runs the script ${shown(file)}`))
    if (!hidden) call.hooks.runFile(file, 'sh')
    return true
  },
  '.': (call) => SPECIAL['source']?.(call) ?? true,
  at: (call) => {
    const looks = /^-[lVc]$/.test(call.args[0] ?? '')
    if (looks) call.state.findings.push(read(`${call.program}: lists what is to run`))
    else if (/^-[dr]$/.test(call.args[0] ?? '')) call.state.findings.push(destructive(`${call.program}: takes out what was to run`))
    else runInput(call, 'a script')
    return looks
  },
  batch: (call) => SPECIAL['at']?.(call) ?? false,
  cp: noteCopy,
  install: noteCopy,
  mv: noteCopy,
  awk: ({ args, state }) => {
    const { words, options } = readArguments(args, new Set(['-F', '-v', '-f', '-i', '--file', '--include']))
    const hidden = options.some((option) => option.startsWith('-f')) && args.some((argument) => /^\/dev\/(fd\/|stdin)/.test(argument))
    if (hidden) state.findings.push(destructive('awk: runs a program that cannot be seen here'))
    const isFile = options.some((option) => option === '-f' || option.startsWith('--file'))
    const inPlace = args.some((argument, index) => argument === 'inplace' && /^(-i|--include)$/.test(args[index - 1] ?? ''))
    if (isFile || inPlace) state.findings.push(write(isFile ? 'awk: runs a program file' : 'awk: rewrites files in place'))
    if (!isFile) state.findings.push(judgeAwk(words[0] ?? ''), ...[...(words[0] ?? '').matchAll(/>\s*"([^"]{1,400})"/g)].map(([, path = '']) => judgeWrittenPath(path, state.place)))
    if (inPlace) state.findings.push(...words.slice(isFile ? 0 : 1).map((path) => judgeWrittenPath(path, state.place)))
    return true
  },
  gawk: (call) => SPECIAL['awk']?.(call) ?? true,
  mawk: (call) => SPECIAL['awk']?.(call) ?? true,
  sed: ({ args, state }) => {
    const given = [...valuesOfOption(args, '-e'), ...valuesOfOption(args, '--expression')]
    const { words, options } = readArguments(args, new Set(['-e', '-f', '-l', '--expression', '--file']))
    const scripts = given.length > 0 ? given : words.slice(0, 1)
    const inPlace = options.some((option) => /^(-[nErsuz]*i|--in-place)/.test(option))
    const file = [...valuesOfOption(args, '-f'), ...valuesOfOption(args, '--file')][0]
    if (file !== undefined) state.findings.push(/^(-|\/dev\/(fd\/|stdin).*)$/.test(file) ? destructive('sed: runs a script that cannot be seen here') : write('sed: runs a script file'))
    for (const script of file === undefined || given.length > 0 ? scripts : []) {
      const finding = judgeSed(script)
      if (finding !== null) state.findings.push(finding)
      for (const [, path = ''] of script.matchAll(/(?:^|[;{}\n/])\s*[\d$,]*\s*[wW] +(\S+)/g)) state.findings.push(judgeWrittenPath(path, state.place))
      if (inPlace && /^\s*(1,\$)?\s*d\s*;?\s*$|^\s*(\/(\.\*?|\^|\$|\.\+)\/|0,\/\S+\/)d\s*$/.test(script)) state.findings.push(destructive('sed -i: deletes every line'))
    }
    if (inPlace) {
      const files = (given.length > 0 ? words : words.slice(1)).filter((word) => word !== '')
      state.findings.push(write('sed -i: rewrites files in place'), ...files.map((file) => judgeWrittenPath(file, state.place)))
    } else state.findings.push(read('sed: prints'))
    return true
  },
  gsed: (call) => SPECIAL['sed']?.(call) ?? true,
  git: (call) => {
    judgeGitOptions(call)
    const [sub, name = '', value = ''] = readArguments(call.args, NO_VALUES).words
    if (sub === 'config' && /^alias\./i.test(name) && value !== '') call.hooks.runScript(value.startsWith('!') ? value.slice(1) : `git ${value}`, `git ${shown(name)}`)
    if (call.args.some((argument) => argument === 'rebase' || argument === 'difftool')) for (const script of valuesOfOption(call.args, '-x')) call.hooks.runScript(script, 'git -x')
    const foreach = call.args[0] === 'submodule' ? call.args.indexOf('foreach') : -1
    const command = foreach < 0 ? [] : call.args.slice(foreach + 1).filter((_, index, all) => all.slice(0, index + 1).some((each) => !each.startsWith('-')))
    if (command.length > 0) call.hooks.runScript(command.join(' '), 'git submodule foreach')
    return false
  },
  'redis-cli': judgeConsole,
  'valkey-cli': judgeConsole,
  mongosh: judgeConsole,
  mongo: judgeConsole,
  curl: (call) => {
    noteFetched(call, ['-o', '--output'], /^-[a-zA-Z]*O$|^--remote-name/)
    return false
  },
  wget: (call) => {
    noteFetched(call, ['-O', '--output-document'], /^/)
    return false
  },
  tee: ({ args, input, hooks }) => {
    for (const path of args) if (!path.startsWith('-')) hooks.noteFile(path, input === 'none' ? 'unknown' : input)
    return false
  },
  nc: ({ program, input, state }) => {
    const text = typeof input === 'object' ? input.text : ''
    if (/^\s*(FLUSHALL|FLUSHDB|flush_all|SHUTDOWN|DEL |UNLINK |DELETE |delete |CONFIG SET|stop$|kill$)/im.test(text)) state.findings.push(destructive(`${program}: tells a server to delete or to stop`))
    return false
  },
  ncat: (call) => SPECIAL['nc']?.(call) ?? false,
  netcat: (call) => SPECIAL['nc']?.(call) ?? false,
  telnet: (call) => SPECIAL['nc']?.(call) ?? false,
  vim: judgeEditor,
  vi: judgeEditor,
  nvim: judgeEditor,
  sftp: judgeTransfer,
  ftp: judgeTransfer,
  lftp: judgeTransfer,
  dd: ({ args, state }) => {
    const target = args.find((argument) => argument.startsWith('of='))
    if (target !== undefined && args.includes('if=/dev/null') && isLossToEmpty(target.slice(3))) state.findings.push(destructive(`dd: empties a file: ${shown(target.slice(3))}`))
    if (target !== undefined && args.some((argument) => /^if=\/dev\/(zero|u?random)$/.test(argument)) && args.some((argument) => /^conv=\S*notrunc/.test(argument))) {
      state.findings.push(destructive(`dd: overwrites what a file holds: ${shown(target.slice(3))}`))
    }
    state.findings.push(target === undefined ? read('dd: prints') : judgeWrittenPath(target.slice(3), state.place))
    return true
  },
}

export const isSpecial = (program: string): boolean => Object.hasOwn(SPECIAL, program)

/** Judges a command that needs more than a table. False when it is none, or what else is known of it holds as well. */
export const judgeSpecial = (call: Call): boolean => isSpecial(call.program) && SPECIAL[call.program]?.(call) === true
