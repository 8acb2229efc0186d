import { parse, type ParsedScript, type SyntaxNode } from 'unbash'
import type { Finding } from './finding.ts'
import type { Place } from './paths.ts'
import type { Variables } from './variables.ts'

/** One simple command found in a line: its name and arguments, as the program will get them. */
export interface SimpleCommand {
  readonly argv: readonly string[]
  /** False when it stands inside another one's arguments, as after sudo or in `sh -c`. */
  readonly written: boolean
  /** The folder it runs in: null when a `cd` before it went somewhere unknown. */
  readonly folder: string | null
}

/** What a command reads: text that is known, that was made here and is not followed, that is not known, or nothing in particular. */
export type Input = { readonly text: string } | 'hidden' | 'unknown' | 'none'

/** What is learnt while one command line is read. */
export interface ShellState {
  readonly findings: Finding[]
  readonly commands: SimpleCommand[]
  /** Names of programs that nothing is known of. */
  readonly unknown: Set<string>
  readonly variables: Variables
  /** Every body that a function was given. */
  readonly functions: Map<string, SyntaxNode[]>
  /** With what each function was called. */
  readonly calls: Map<string, (readonly string[])[]>
  readonly aliases: Map<string, string>
  /** The functions whose bodies are being read. */
  readonly readingFunctions: Set<string>
  /** Variables that named a program: one given another value later may name another program the next time round. */
  readonly namedPrograms: Set<string>
  /** What files hold that the line itself makes, by path. */
  readonly files: Map<string, Input>
  /** Files of the project that may still be read for what they would run. */
  filesLeft: number
  /** And characters of these. */
  textLeft: number
  place: Place
  /** How deep inside other commands' arguments. */
  depth: number
  /** Characters that may still be parsed again as nested scripts. Keeps the whole linear. */
  parseBudget: number
  understood: boolean
}

export const MAX_DEPTH = 8

const MAX_HEREDOCS = 100

/** Parses a script, or returns null when it has more heredocs than the parser takes in linear time. */
export const parseScript = (script: string): ParsedScript | null =>
  script.split('<<', MAX_HEREDOCS + 2).length > MAX_HEREDOCS + 1 ? null : parse(script)

/** Parses a nested script, or returns null when it is nested too deep, the budget is spent, or parseScript refuses it. */
export const parseNested = (script: string, state: ShellState): ParsedScript | null => {
  state.parseBudget -= script.length
  return state.depth >= MAX_DEPTH || state.parseBudget < 0 ? null : parseScript(script)
}
