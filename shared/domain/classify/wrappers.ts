import { valuesOfOption } from './family.ts'
import { destructive, type Finding, read, write } from './finding.ts'
import type { Input } from './shell-state.ts'
import { HIDDEN, UNKNOWN } from './unknown.ts'

/** A program that runs the command given in its own arguments. */
export interface Wrapper {
  readonly names: readonly string[]
  /** Options that take the next argument. */
  readonly valueOptions?: readonly string[]
  /** Plain words before the command. */
  readonly skip?: number
  /** `NAME=value` words may stand before the command. */
  readonly assignments?: true
  /** The rest is joined and given to a shell, not run as it is. */
  readonly joins?: true
  /** Given one of these it runs nothing. */
  readonly harmless?: readonly string[]
  /** What it means by itself, whatever it runs. */
  readonly floor?: Finding
  /** What it means with no command. */
  readonly bare?: Finding
}

const SSH_OPTIONS = 'bcDEeFIiJLlmOopQRSWw'.split('').map((letter) => `-${letter}`)

export const WRAPPERS: readonly Wrapper[] = [
  {
    names: ['sudo', 'doas', 'pkexec'],
    valueOptions: ['-u', '-g', '-h', '-p', '-C', '-T', '-r', '-t', '-D', '-R', '-U', '--user', '--group', '--host',
      '--prompt', '--chdir', '--chroot', '--role', '--type', '--close-from', '--command-timeout', '--other-user'],
    assignments: true,
    floor: write('runs as another user'),
    bare: destructive('opens a shell as another user'),
    harmless: ['-l', '-v', '-V', '-k', '-K', '--list', '--validate', '--version', '--help', '-n'],
  },
  { names: ['env'], valueOptions: ['-u', '--unset', '-C', '--chdir', '-S', '--split-string'], assignments: true,
    bare: read('prints the environment') },
  { names: ['timeout', 'gtimeout'], valueOptions: ['-s', '-k', '--signal', '--kill-after'], skip: 1 },
  { names: ['entr'], valueOptions: ['-s', '-cs', '-rs', '-crs', '-ns'] },
  { names: ['nice'], valueOptions: ['-n', '--adjustment'] },
  { names: ['ionice'], valueOptions: ['-c', '-n', '-p', '--class', '--classdata'] },
  { names: ['chrt'], valueOptions: ['-T', '-P', '-D'], skip: 1 },
  { names: ['taskset'], skip: 1 },
  { names: ['stdbuf'], valueOptions: ['-i', '-o', '-e', '--input', '--output', '--error'] },
  { names: ['nohup', 'setsid', 'unbuffer', 'chronic', 'builtin', 'noglob', 'nocorrect', 'busybox', 'toybox',
    'coproc', 'proxychains', 'proxychains4', 'torsocks', 'fakeroot', 'spawn', 'linux64', 'linux32', 'eatmydata', 'rtk'] },
  { names: ['ld.so', 'ld-linux.so.2', 'ld-linux-x86-64.so.2', 'ld-linux-aarch64.so.1', 'ld-musl-x86_64.so.1', 'ld-musl-aarch64.so.1'], valueOptions: ['--library-path', '--preload', '--argv0'] },
  { names: ['pdsh', 'dsh', 'clush', 'pssh', 'parallel-ssh'], valueOptions: ['-w', '-h', '-H', '-g', '-l', '-x', '-f', '-t', '-u', '-p', '-o', '-e'], joins: true, floor: write('runs on other machines') },
  { names: ['cmd'], skip: 1, joins: true },
  { names: ['sg', 'newgrp'], skip: 1, valueOptions: ['-c'], floor: write('runs with another group') },
  { names: ['command'], harmless: ['-v', '-V'] },
  { names: ['exec'], valueOptions: ['-a'], bare: read('changes where the shell writes') },
  { names: ['time', 'gtime'], valueOptions: ['-f', '-o', '--format', '--output'] },
  { names: ['caffeinate'], valueOptions: ['-t', '-w'] },
  { names: ['setarch'], skip: 1 },
  { names: ['chroot'], skip: 1, valueOptions: ['--userspec', '--groups'], floor: write('runs in another root folder') },
  { names: ['flock'], valueOptions: ['-w', '-E', '-c', '--timeout', '--command', '--conflict-exit-code'], skip: 1 },
  { names: ['watch'], valueOptions: ['-n', '--interval'], joins: true },
  { names: ['ssh', 'mosh', 'autossh', 'sshpass'], valueOptions: SSH_OPTIONS, skip: 1, joins: true,
    floor: write('runs on another machine'), harmless: ['-V', '-G', '-Q'] },
  { names: ['su'], harmless: ['--version', '--help', '-V', '-h'], skip: 1, valueOptions: ['-c', '-s', '-g', '-G', '--command', '--shell'],
    floor: write('runs as another user'), bare: destructive('opens a shell as another user') },
  { names: ['runuser'], valueOptions: ['-u', '-g', '-G', '-c', '--user', '--command'], floor: write('runs as another user') },
]

/**
 * Programs whose options are too many to skip surely: every argument that names a known program is judged as the
 * start of a command, on top of what the program itself does.
 */
export const SCANNED: ReadonlyMap<string, readonly string[] | null> = new Map<string, readonly string[] | null>([
  ...['docker', 'podman', 'nerdctl', 'docker-compose', 'podman-compose'].map((name) =>
    [name, ['run', 'exec', 'compose', 'container', 'create']] as const),
  ...['kubectl', 'oc', 'k', 'microk8s'].map((name) => [name, ['exec', 'run', 'debug', 'rsh']] as const),
  ['npm', ['exec', 'x']],
  ['pnpm', ['exec', 'dlx']],
  ['yarn', ['dlx', 'exec', 'run', 'node']],
  ['bun', ['x', 'run']],
  ['uv', ['run', 'tool']],
  ['git', ['bisect', 'submodule']],
  ['tmux', ['new', 'new-session', 'neww', 'new-window', 'split-window', 'splitw', 'respawn-pane', 'popup', 'display-popup', 'run-shell']],
  ['heroku', ['run']],
  ['vagrant', ['ssh']],
  ['nix', ['run', 'shell', 'develop']],
  ['lxc', ['exec']],
  ['incus', ['exec']],
  ['multipass', ['exec']],
  ['mise', ['exec', 'x', 'run']],
  ['asdf', ['exec']],
  ['direnv', ['exec']],
  ['op', ['run']],
  ['doppler', ['run']],
  ['infisical', ['run']],
  ['conda', ['run']],
  ['poetry', ['run']],
  ['pipenv', ['run']],
  ['bundle', ['exec']],
  ['pdm', ['run']],
  ['rye', ['run']],
  ['hatch', ['run']],
  ['cargo', ['watch']],
  ...['npx', 'bunx', 'pnpx', 'uvx', 'pipx', 'bwrap', 'firejail', 'systemd-run', 'systemd-inhibit', 'nsenter', 'unshare',
    'strace', 'ltrace', 'perf', 'gdb', 'valgrind', 'dotenv', 'dotenvx', 'env-cmd', 'cross-env', 'xvfb-run',
    'dbus-run-session', 'dbus-launch', 'ssh-agent', 'aws-vault', 'chamber', 'envchain', 'prlimit', 'cpulimit',
    'cgexec', 'setpriv', 'capsh', 'nix-shell', 'distrobox', 'toolbox', 'with-contenv', 'gosu', 'su-exec', 'tini',
    'dumb-init', 'watchexec', 'nodemon', 'faketime', 'winpty', 'wsl', 'arch', 'rlwrap', 'foreman', 'expect', 'screen',
  ].map((name) => [name, null] as const),
])

/** Options whose value is a command line of its own. */
export const SCRIPT_OPTIONS: ReadonlyMap<string, readonly string[]> = new Map([
  ['env', ['-S', '--split-string']],
  ['su', ['-c', '--command']],
  ['runuser', ['-c', '--command']],
  ['script', ['-c', '--command', '-qc', '-qec', '-ec']],
  ['flock', ['-c', '--command']],
  ['npm', ['-c', '--call']],
  ['npx', ['-c', '--call']],
  ['nix-shell', ['--run', '--command']],
  ['nix', ['-c', '--command']],
  ['nodemon', ['-x', '--exec']],
  ['vagrant', ['-c', '--command']],
  ['gcloud', ['--command']],
  ['flyctl', ['-C', '--command']],
  ['fly', ['-C', '--command']],
  ['tar', ['--to-command', '--use-compress-program', '-I', '--rsh-command']],
  ['bsdtar', ['--use-compress-program']],
  ['rsync', ['-e', '--rsh', '--rsync-path']],
  ['git', ['--exec', '--extcmd', '--upload-pack', '--receive-pack', '--tree-filter', '--index-filter',
    '--msg-filter', '--env-filter', '--commit-filter']],
  ['sg', ['-c']],
  ['rg', ['--pre']],
  ['tcpdump', ['-z']],
  ['fd', ['--exec', '--exec-batch']],
  ['split', ['--filter']],
  ['zip', ['--unzip-command', '-TT']],
  ['less', ['+!']],
  ['more', ['+!']],
  ['man', ['-P', '--pager']],
  ['fzf', ['--preview']],
  ['xterm', ['-e']],
  ['sort', ['--compress-program']],
])

/** Programs that run arguments which hold a whole command line. */
export const RUNS_QUOTED: ReadonlySet<string> = new Set([
  'tmux', 'screen', 'zellij', 'hyperfine', 'concurrently', 'npm-run-all', 'watchexec', 'entr', 'gnome-terminal', 'konsole',
  'x-terminal-emulator', 'alacritty', 'kitty', 'dtach', 'abduco', 'expect', 'ts-node-dev', 'on', 'wezterm', 'emacs',
])

/** Variables that a program runs, or loads code from. */
export const COMMAND_VARIABLES =
  /^(GIT_(SSH(_COMMAND)?|EDITOR|SEQUENCE_EDITOR|PAGER|EXTERNAL_DIFF|ASKPASS|PROXY_COMMAND)|EDITOR|VISUAL|PAGER|MANPAGER|SSH_ASKPASS|BROWSER|LESSOPEN|LESSCLOSE|PROMPT_COMMAND|PS[0124]|RSYNC_RSH)$/
export const LOADING_VARIABLES =
  /^(LD_PRELOAD|LD_AUDIT|DYLD_INSERT_LIBRARIES|BASH_ENV|ENV|GIT_CONFIG(_COUNT|_KEY_.*|_VALUE_.*|_GLOBAL|_SYSTEM|_PARAMETERS)?|GIT_EXEC_PATH|GIT_TEMPLATE_DIR|PERL5OPT|RUBYOPT|PYTHONSTARTUP|BASH_FUNC_.*|MAKEFILES|(npm|NPM)_(config|CONFIG)_(script_shell|SCRIPT_SHELL))$/
/** Variables of options, and the options that load code. */
export const LOADING_OPTIONS = /^(NODE_OPTIONS|JAVA_TOOL_OPTIONS|_JAVA_OPTIONS|JDK_JAVA_OPTIONS)$/
export const LOADS = /(^|\s)(-r|--require|--import|--loader|--experimental-loader|-javaagent|-agentpath|-agentlib)/

/** Options of make that a variable gives it, and those that make it read nothing else. */
export const MAKE_OPTIONS = /^((GNU)?MAKEFLAGS|MFLAGS)$/
export const PLAIN_MAKE_OPTION = /^(-?[BbdeikLmnpqrRsStvw]*([jl][\d.]*|O\w*)?|--(jobs|load-average|output-sync|debug)(=[\w.]+)?|--(no-)?(print-directory|silent|keep-going)|--(no-builtin-(rules|variables)|quiet|always-make|warn-undefined-variables|trace))$/

/** Programs that print nothing but settings of a shell, for it to take over. */
export const PRINTS_VARIABLES =
  /^(ssh-agent( -[sck])*|brew shellenv( \w+)?|(pyenv|rbenv|nodenv|jenv|goenv) (init|virtualenv-init)( -\S*)*( \w+)?|(direnv hook|starship init|zoxide init|mise activate|atuin init) \w+|fnm env( --[\w-]+)*|dircolors( -b)?|opam env|conda shell\.\w+ hook|minikube docker-env)$/

const ASSIGNMENT = /^[A-Za-z_][A-Za-z0-9_]*=/

export interface Unwrapped {
  /** Each may be what is run; more than one where an option's reach is unclear. */
  readonly commands: readonly (readonly string[])[]
  readonly assignments: readonly string[]
}

/** Finds the command in a wrapper's arguments (without the wrapper's own name). */
export const unwrap = (wrapper: Wrapper, args: readonly string[]): Unwrapped => {
  const valueOptions = new Set(wrapper.valueOptions)
  const assignments: string[] = []
  let skip = wrapper.skip ?? 0
  let unclear = 0
  let i = 0
  for (; i < args.length; i += 1) {
    const argument = args[i] ?? ''
    if (argument === '--') {
      i += 1
      break
    }
    if (argument.startsWith('-') && argument.length > 1) {
      if (valueOptions.has(argument)) i += 1
      else if (argument.startsWith('--') && !argument.includes('=')) unclear += 1
    } else if (wrapper.assignments && ASSIGNMENT.test(argument)) {
      assignments.push(argument)
    } else if (skip > 0) {
      skip -= 1
    } else break
  }
  const rest = args.slice(i)
  if (skip > 0 && rest.length > 0) return { commands: [rest.slice(skip)], assignments }
  const commands = rest.length === 0 ? [] : [rest]
  for (let n = 1; n <= Math.min(unclear, 2) && rest.length > n; n += 1) commands.push(rest.slice(n))
  return { commands, assignments }
}

const XARGS_OPTIONS: Wrapper = {
  names: ['xargs'],
  valueOptions: ['-I', '-n', '-P', '-L', '-s', '-d', '-E', '-a', '-J', '-R', '--max-args', '--max-procs', '--max-lines',
    '--delimiter', '--arg-file', '--replace', '--max-chars', '--process-slot-var'],
}

const MAX_XARGS = 64

/** The commands that xargs runs, with what it reads where that is known; none when it only echoes. */
export const unwrapXargs = (args: readonly string[], input: Input): readonly (readonly string[])[] => {
  const command = unwrap(XARGS_OPTIONS, args).commands[0]
  if (command === undefined) return []
  const fromFile = args.some((argument) => argument.startsWith('-a') || argument.startsWith('--arg-file'))
  const text = fromFile ? UNKNOWN : typeof input === 'object' ? input.text : input === 'hidden' ? HIDDEN : UNKNOWN
  const plain = typeof input !== 'object' || !args.some((argument) => /^(-d|--delimiter)/.test(argument))
  const mark = [...valuesOfOption(args, '-I'), ...valuesOfOption(args, '-J'), ...valuesOfOption(args, '--replace')][0]
    ?? (args.includes('-i') ? '{}' : undefined)
  const items = (plain ? text : HIDDEN).trim().split(mark === undefined || mark === '' ? /\s+/ : /\n/)
  if (items.length > MAX_XARGS) items.splice(0, items.length, HIDDEN)
  if (mark === undefined || mark === '') return [[...command, ...items]]
  return items.slice(0, MAX_XARGS).map((item) => command.map((argument) => argument.replaceAll(mark, item)))
}

/** The commands inside `find -exec … ;`, `fd -x …` and `parallel … :::`, their input standing as unknown. */
export const unwrapPlaceholders = (args: readonly string[], starts: ReadonlySet<string>): string[][] => {
  const commands: string[][] = []
  for (let i = 0; i < args.length; i += 1) {
    if (!starts.has(args[i] ?? '')) continue
    const command: string[] = []
    for (i += 1; i < args.length && args[i] !== ';' && args[i] !== '+'; i += 1) {
      command.push((args[i] ?? '').replaceAll('{}', UNKNOWN))
    }
    if (command.length > 0) commands.push(command)
  }
  return commands
}
