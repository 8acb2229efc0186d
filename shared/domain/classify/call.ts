import { destructive } from './finding.ts'
import type { Input, ShellState } from './shell-state.ts'
import { isKnown } from './unknown.ts'

/** What the reader of the script offers to a command that runs, or changes, more of it. */
export interface ScriptHooks {
  /** Judges a script, which reads `input`. */
  runScript(script: string, why: string, input?: Input): void
  /**
   * Judges the script in a file as far as it can be seen: made by the line itself, or of the project. False when it cannot.
   * `shell`: it is given to one; null when what runs it stands in its own first line.
   */
  runFile(path: string, shell: string | null): boolean
  /** Judges what names of the project stand for: npm's scripts, make's targets. */
  runTargets(program: string, args: readonly string[]): void
  /** What a file holds that the line itself made; null for any other. */
  fileContent(path: string): Input | null
  /** From now on a file holds this. */
  noteFile(path: string, content: Input): void
  assignTo(name: string, value: string | null): void
  /** From now on `$1`, `$2` … are these; null when they are not known. */
  setArguments(args: readonly string[] | null): void
  judgeVariable(name: string, value: string): void
  /** Reads the bodies of a function with these arguments. */
  callFunction(name: string, args: readonly string[]): void
  /** Whether the command stands in the line itself, not in another command's arguments. */
  readonly written: boolean
  /** Its first word may be a file of the project, or no command at all. */
  readonly maybe: boolean
}

/** One simple command while it is judged. */
export interface Call {
  readonly program: string
  readonly args: readonly string[]
  readonly input: Input
  readonly state: ShellState
  readonly hooks: ScriptHooks
  /** Judges a command that this one runs; `maybe` when its first word may be a file of the project, or no command at all. */
  readonly run: (argv: readonly string[], input: Input, maybe?: 'maybe') => void
}

/** A program's name without folder, `.exe` and version, be it a package's: `/usr/bin/python3.12` → `python`. Null when it cannot be told. */
export const programOf = (name: string): string | null => {
  const base = name.slice(Math.max(name.lastIndexOf('/'), name.lastIndexOf('\\')) + 1)
  if (base === '' || !isKnown(base)) return null
  const plain = base.replace(/(?<=.)@[\w.^~-]+$/, '').replace(/\.(exe|cmd|bat)$/i, '')
  const versioned = /^(python|pypy|node|perl|ruby|php|pip|lua|awk|bash|clang|gcc|psql|mkfs)[-.\d]/.exec(plain)?.[1]
  return versioned ?? plain
}

/** Judges what a program reads and runs as a script. */
export const runInput = (call: Call, what: string): void => {
  const { input, hooks, state } = call
  if (input === 'unknown' || input === 'hidden') state.findings.push(destructive(`${call.program}: runs ${what} that cannot be seen here`))
  else if (input !== 'none') hooks.runScript(input.text, `${call.program} from its input`)
}
