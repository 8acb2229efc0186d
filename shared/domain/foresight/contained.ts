import { programOf } from '../classify/call.ts'
import { classifyShell, readShell } from '../classify/classify-shell.ts'
import type { SimpleCommand } from '../classify/shell-state.ts'
import { isWithin, pathMeant, wordsWith } from './operands.ts'

/** All that a destructive call can destroy. */
export interface ContainedEffect {
  /** Files and folders, absolute; of a pattern, the folder it is looked for in. */
  readonly paths: readonly string[]
  /** Those of the paths that stars are looked for in. */
  readonly listed: readonly string[]
  /** Whether of those only what git keeps track of is meant, and what git itself keeps. */
  readonly trackedOnly: boolean
}

export interface ContainedQuestion {
  readonly tool: string
  readonly input: unknown
  /** The project's folder. */
  readonly cwd: string
  /** The folder that relative paths start from, absolute. */
  readonly folder: string
  readonly home?: string | undefined
}

/** Where a line hides nothing, has no variables, substitutions, functions or files written by the shell itself. */
const isPlainLine = (command: string): boolean =>
  !/[$`<>(){}\\!\0]|(^|[\s;&|])[A-Za-z_]\w*\+?=/.test(command.replaceAll(/(^|\s)(2>&1|[12&]?> ?\/dev\/null)(?=[\s;&|]|$)/g, '$1'))

const FIND_TESTS = /^-(name|iname|path|ipath|type|size|mtime|mmin|atime|amin|ctime|cmin|newer|maxdepth|mindepth|empty|delete|print|print0|depth|not|and|or|o|a|prune|user|group|perm|regex|iregex|xdev)$/

/** The roots of `find … -delete`, without what could run or write something else. */
const findRoots = (args: readonly string[]): readonly string[] | null => {
  const end = args.findIndex((argument) => /^[-(!)]/.test(argument))
  const tests = end === -1 ? [] : args.slice(end)
  if (tests.some((argument) => argument.startsWith('-') && !/^-\d/.test(argument) && !FIND_TESTS.test(argument))) return null
  const roots = end === -1 ? args : args.slice(0, end)
  return roots.length === 0 ? ['.'] : roots
}

interface Destroyed {
  readonly operands: readonly string[]
  readonly trackedOnly: boolean
}

const all = (operands: readonly string[] | null): Destroyed | null => (operands === null || operands.length === 0 ? null : { operands, trackedOnly: false })
/** In git's own data alone: checkpoints keep refs, logs and the stash. */
const IN_GIT: Destroyed = { operands: [], trackedOnly: true }

const GIT: Readonly<Record<string, (args: readonly string[]) => Destroyed | null>> = {
  reset: (args) => {
    const words = wordsWith(args, '--hard --merge --keep -q --quiet')
    return words === null ? null : words.length === 0 || (words.length === 1 && words[0] === 'HEAD') ? { operands: ['.'], trackedOnly: true } : all(['.'])
  },
  checkout: (args) => {
    const words = wordsWith(args, '-q --quiet')
    return words !== null && args.includes('--') && args.indexOf('--') === args.length - words.length - 1 ? { operands: words, trackedOnly: true } : null
  },
  restore: (args) => {
    const words = wordsWith(args, '--staged -S --worktree -W -q --quiet')
    return words === null || words.length === 0 ? null : { operands: words, trackedOnly: true }
  },
  clean: (args) => {
    const words = wordsWith(args, '-f -d -x -X -q --force --quiet')
    return words === null ? null : all(words.length === 0 ? ['.'] : words)
  },
  rm: (args) => all(wordsWith(args, '-r -f -q --force --quiet --cached')),
  stash: (args) => (args.length === 1 && args[0] === 'clear') || (args[0] === 'drop' && args.length <= 2 && !args[1]?.startsWith('-')) ? IN_GIT : null,
  branch: (args) => (wordsWith(args, '-D -d -q --quiet --delete --force')?.length ? IN_GIT : null),
  tag: (args) => (wordsWith(args, '-d --delete')?.length ? IN_GIT : null),
}

const PROGRAMS: Readonly<Record<string, (args: readonly string[]) => Destroyed | null>> = {
  rm: (args) => all(wordsWith(args, '-r -R -f -v -d -i -I --recursive --force --verbose --dir')),
  rmdir: (args) => all(wordsWith(args, '-p -v')),
  unlink: (args) => all(wordsWith(args, '')),
  mv: (args) => all(wordsWith(args, '-f -n -i -v --force --no-clobber --verbose')),
  cp: (args) => all(wordsWith(args, '-r -R -a -f -n -p -v -i --recursive --force')),
  mkdir: (args) => all(wordsWith(args, '-p -v --parents')),
  touch: (args) => all(wordsWith(args, '-a -c -m')),
  find: (args) => all(findRoots(args)),
  truncate: (args) => (args[0] === '-s' && args[1] === '0' ? all(wordsWith(args.slice(2), '')) : null),
  git: ([sub = '', ...args]) => (Object.hasOwn(GIT, sub) ? (GIT[sub]?.(args) ?? null) : null),
}

const quoted = (argument: string): string => `'${argument.replaceAll("'", `'\\''`)}'`

/** What one command destroys; null when that cannot be told for sure. */
const destroyedBy = ({ argv, folder }: SimpleCommand, { cwd, home }: ContainedQuestion): ContainedEffect | null => {
  const program = programOf(argv[0] ?? '') ?? ''
  if (program === 'cd' || classifyShell(argv.map(quoted).join(' '), { cwd, home }).class === 'read') return { paths: [], listed: [], trackedOnly: true }
  const found = Object.hasOwn(PROGRAMS, program) && argv[0] === program ? PROGRAMS[program]?.(argv.slice(1)) : null
  if (!found || folder === null) return null
  const meant = [...found.operands, ...(program === 'git' ? ['.'] : [])].map((operand) => pathMeant(operand, folder, home))
  const inside = meant.filter((one) => one !== null && isWithin(one.path, cwd) && !one.path.split('/').includes('.git') && one.pattern?.includes('/') !== true)
  if (inside.length < meant.length) return null
  const paths = inside.filter((one) => one !== null).slice(0, found.operands.length)
  return { paths: paths.map(({ path }) => path), listed: paths.filter(({ pattern }) => pattern !== null).map(({ path }) => path), trackedOnly: found.trackedOnly }
}

/**
 * All that a call can destroy, when that is files of the project alone and can be told for certain from a plain line;
 * else null. Says nothing of symbolic links on the way.
 */
export const containedEffect = (question: ContainedQuestion): ContainedEffect | null => {
  const { tool, input, cwd, folder, home } = question
  const command = (input as { command?: unknown } | null)?.command
  if (tool !== 'Bash' || typeof command !== 'string' || command.length > 10_000 || !isPlainLine(command) || !isWithin(folder, cwd)) return null
  const { commands, understood } = readShell(command, { cwd: folder, home })
  if (!understood || commands.length === 0 || commands.length > 50 || commands.some(({ written }) => !written)) return null
  const effects = commands.map((one) => destroyedBy(one, question))
  if (effects.some((effect) => effect === null)) return null
  const known = effects.filter((effect) => effect !== null)
  const each = (of: (effect: ContainedEffect) => readonly string[]): string[] => [...new Set(known.flatMap(of))]
  return { paths: each(({ paths }) => paths), listed: each(({ listed }) => listed), trackedOnly: known.every(({ trackedOnly }) => trackedOnly) }
}
