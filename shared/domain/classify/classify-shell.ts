import {
  type Assignment, type Command, type For, forEachChild, type Pipeline, type Select, type SyntaxNode,
} from 'unbash'
import type { Classification } from '../../contract/schemas/tool-call.ts'
import { judgeCommand } from './commands.ts'
import { destructive, shown, summarize, write } from './finding.ts'
import { inputOfRedirects, judgeRedirect } from './redirects.ts'
import type { ReadText } from './project-targets.ts'
import { createScriptFiles, MAX_READ_FILES, MAX_READ_TEXT } from './script-files.ts'
import { createOutputs } from './shell-output.ts'
import { type Input, MAX_DEPTH, parseNested, parseScript, type ShellState, type SimpleCommand } from './shell-state.ts'
import { HIDDEN, isHidden, isKnown, UNKNOWN } from './unknown.ts'
import { createVariables } from './variables.ts'
import {
  elementsOfAssignment, expandArgument, expandWord, isGlob, isWorkedOut, valueOfAssignment, valueOfWord,
} from './words.ts'
import { COMMAND_VARIABLES, LOADING_OPTIONS, LOADING_VARIABLES, LOADS, MAKE_OPTIONS, PLAIN_MAKE_OPTION } from './wrappers.ts'

export interface ShellContext {
  /** The project's folder, where the command starts; without it no path counts as outside the project. */
  readonly cwd?: string | undefined
  /** The agent's home folder, when known. */
  readonly home?: string | undefined
  /**
   * The text of a file of the project: null for what cannot be read, undefined where nothing is. What a file says can
   * raise a class, never lower it: it may be another by the time it runs.
   */
  readonly readFile?: ReadText | undefined
}

/** A command line, read but not run. */
export interface ShellReading {
  readonly classification: Classification
  /** Every simple command in it, also those inside substitutions, wrappers and nested scripts. */
  readonly commands: readonly SimpleCommand[]
  /** False when any of it could not be parsed. */
  readonly understood: boolean
}

const MAX_COMMAND = 4 * 1024 * 1024
const MAX_CALLS = 8
const MAX_LOOP_VALUES = 8

/** Reads every node; what a node's own reading covers is not visited again. */
const createReader = (state: ShellState, readFile: ShellContext['readFile']) => {
  const runScript = (script: string, why: string, input: Input = 'none'): void => {
    const parsed = parseNested(script, state)
    if (parsed === null) {
      state.findings.push(destructive(`${why}: too tangled to judge`))
      state.understood = false
      return
    }
    if (!isKnown(script)) state.findings.push(write(`${why}: runs a script that is only partly known`))
    state.depth += 1
    visit(parsed, input)
    state.depth -= 1
  }

  const { runFile, fileContent, noteFile, noteRedirects, runTargets } = createScriptFiles(state, readFile, runScript)

  const assignTo = (name: string, value: string | null): void => {
    if (state.namedPrograms.has(name) && state.variables.get(name) !== value) {
      state.findings.push(destructive(`$${name} names a program, and changes: which one runs cannot be told`))
    }
    state.variables.set(name, value)
  }

  const setArguments = (args: readonly string[] | null): void => {
    const names = ['1', '@', '*']
    if (state.variables.arguments()?.join(' ') !== args?.join(' ') && names.some((name) => state.namedPrograms.has(name))) {
      state.findings.push(destructive('the arguments name a program, and change: which one runs cannot be told'))
    }
    state.variables.setArguments(args)
  }

  const judgeVariable = (name: string, value: string): void => {
    if (LOADING_VARIABLES.test(name) || (LOADING_OPTIONS.test(name) && LOADS.test(value))) state.findings.push(destructive(`${name}: makes a program load other code`))
    else if (MAKE_OPTIONS.test(name) && !value.split(/\s+/).every((word) => PLAIN_MAKE_OPTION.test(word))) state.findings.push(destructive(`${name}: makes make read other targets`))
    else if (name === 'PATH' && /(^|:)\/(tmp|var\/tmp|dev\/shm)(\/|:|$)/.test(value)) state.findings.push(destructive('PATH: takes programs from a folder that anyone may fill'))
    else if (COMMAND_VARIABLES.test(name) && value !== '') runScript(value, name)
  }

  const assign = (assignment: Assignment, value: string | null): void => {
    const elements = elementsOfAssignment(assignment, state.variables)
    if (elements === null) assignTo(assignment.name, value)
    else state.variables.setArray(assignment.name, elements)
  }

  const readCommand = (command: Command, piped: Input): void => {
    for (const item of command.prefix) if (item.type === 'Assignment') visitParts(item)
    const { name } = command
    const argv: string[] = []
    if (name !== undefined) {
      argv.push(...(isGlob(name) || isWorkedOut(name) ? [UNKNOWN] : expandWord(name, state.variables)))
      const named = /^"?\$\{?(\w+)\}?"?$/.exec(name.text)?.[1]
      if (named !== undefined) state.namedPrograms.add(named)
    }
    for (const argument of command.args) argv.push(...expandArgument(argument, state.variables))
    for (const child of command.suffix) visitParts(child)
    for (const redirect of command.redirects) if (redirect.type === 'Redirect') judgeRedirect(redirect, state)
    const bare = argv.length === 0
    for (const item of command.prefix) {
      if (item.type !== 'Assignment') continue
      const value = valueOfAssignment(item, state.variables)
      if (bare) assign(item, value)
      judgeVariable(item.name, value ?? (item.value.type === 'Word' ? valueOfWord(item.value, state.variables) : UNKNOWN))
    }
    if (/^(export|declare|local|readonly|typeset)$/.test(argv[0] ?? '')) {
      for (const argument of command.args) {
        if (argument.type !== 'Assignment') continue
        const value = valueOfAssignment(argument, state.variables)
        assign(argument, value)
        judgeVariable(argument.name, value ?? UNKNOWN)
      }
    }
    if (bare) return noteRedirects(command.redirects, { text: '' })
    const given = inputOfRedirects(command.redirects, state) ?? piped
    const cutsOddly = argv[0] === 'read' && command.prefix.some((item) => item.type === 'Assignment' && item.name === 'IFS' && item.text !== 'IFS=')
    const input = cutsOddly && typeof given === 'object' ? 'hidden' : given
    judgeCommand(argv, input, state, { runScript, runFile, runTargets, fileContent, noteFile, assignTo, setArguments, judgeVariable, callFunction, written: state.depth === 0, maybe: false })
    noteRedirects(command.redirects, outputOf(command, piped))
  }

  const { outputOf, outputOfScript } = createOutputs(state)

  const readPipeline = (pipeline: Pipeline, piped: Input): void => {
    let input = piped
    for (const command of pipeline.commands) {
      visit(command, input)
      input = outputOf(command, input)
    }
  }

  /** A loop's body is read for each of a few known values, else once, its variable standing for every value. */
  const readLoop = (node: For | Select, piped: Input): void => {
    const values = node.wordlist?.flatMap((word) => (isGlob(word) ? [UNKNOWN] : expandWord(word, state.variables)))
    const few = node.type === 'For' && values !== undefined && values.length > 1 && values.length <= MAX_LOOP_VALUES && values.every(isKnown)
    if (few && state.parseBudget > 2 * values.length * (node.end - node.pos)) {
      for (const value of values) {
        state.parseBudget -= node.end - node.pos
        state.variables.withValue(node.name.value, value, () => forEachChild(node, (child) => visit(child, piped)))
      }
      return values.forEach((value) => assignTo(node.name.value, value))
    }
    for (const value of values ?? [UNKNOWN]) assignTo(node.name.value, isHidden(value) ? HIDDEN : isKnown(value) ? value : null)
    forEachChild(node, (child) => visit(child, piped))
  }

  const visitParts = (node: SyntaxNode): void => {
    if (node.type === 'Word' && node.parts === undefined) return
    forEachChild(node, (child) => visit(child, 'none'))
  }

  const inOwnFolder = (work: () => void): void => {
    const { place } = state
    work()
    state.place = place
  }

  const visit = (node: SyntaxNode, piped: Input): void => {
    switch (node.type) {
      case 'Script':
        if ('errors' in node && node.errors !== undefined && node.errors.length > 0) {
          state.understood = false
          state.findings.push(destructive(`cannot be parsed: ${node.errors[0]?.message ?? 'unknown error'}`))
        }
        inOwnFolder(() => forEachChild(node, (child) => visit(child, piped)))
        return
      case 'Command':
        readCommand(node, piped)
        return
      case 'Pipeline':
        readPipeline(node, piped)
        return
      case 'Function':
        state.functions.set(node.name.value, [...(state.functions.get(node.name.value) ?? []), node.body])
        return
      case 'For':
      case 'Select':
        readLoop(node, piped)
        return
      case 'Subshell':
        inOwnFolder(() => forEachChild(node, (child) => visit(child, piped)))
        return
      case 'Redirected': {
        for (const redirect of node.redirects) {
          if (redirect.type === 'Redirect') judgeRedirect(redirect, state)
          visitParts(redirect)
        }
        visit(node.command, inputOfRedirects(node.redirects, state) ?? piped)
        return
      }
      case 'Word':
        visitParts(node)
        return
      default:
        forEachChild(node, (child) => visit(child, piped))
    }
  }

  /** Reads the bodies of a function, for what they cost, with these arguments; null when they are not known. */
  const readFunction = (name: string, args: readonly string[] | null): void => {
    const bodies = state.functions.get(name) ?? []
    if (state.readingFunctions.has(name)) {
      state.findings.push(destructive(`${shown(name)}: calls itself without end`))
      return
    }
    state.parseBudget -= bodies.reduce((sum, body) => sum + body.end - body.pos, 0)
    if (state.depth >= MAX_DEPTH || state.parseBudget < 0) {
      state.findings.push(destructive(`${shown(name)}: too tangled to judge`))
      state.understood = false
      return
    }
    state.readingFunctions.add(name)
    state.depth += 1
    state.variables.withArguments(args, () => bodies.forEach((body) => visit(body, 'none')))
    state.depth -= 1
    state.readingFunctions.delete(name)
  }

  const callFunction = (name: string, args: readonly string[]): void => {
    const calls = state.calls.get(name) ?? []
    if (calls.length < MAX_CALLS) state.calls.set(name, [...calls, args])
    readFunction(name, args)
  }

  /** Bodies are read again at the end, when all variables that they may use are known; a body may define more. */
  const readFunctions = (): void => {
    for (const name of state.functions.keys()) {
      for (const args of state.calls.get(name) ?? [null]) readFunction(name, args)
    }
  }

  return { visit, readFunctions, outputOfScript }
}

const refusal = (reason: string): ShellReading => ({
  classification: { class: 'destructive', reasons: [reason] },
  commands: [],
  understood: false,
})

/**
 * Reads a shell command line without running anything. Promises linear time and never to throw: what cannot be
 * parsed, or hides what it runs, is destructive.
 */
export const readShell = (command: string, context: ShellContext = {}): ShellReading => {
  if (command.length > MAX_COMMAND) return refusal('longer than can be judged')
  if (command.includes(UNKNOWN) || command.includes('\0')) return refusal('holds characters that no shell takes')
  const folder = context.cwd ?? null
  const state: ShellState = {
    findings: [],
    commands: [],
    unknown: new Set(),
    variables: createVariables(4 * command.length + 65_536, (script) => reader.outputOfScript(script)),
    functions: new Map(),
    aliases: new Map(),
    calls: new Map(),
    readingFunctions: new Set(),
    namedPrograms: new Set(),
    files: new Map(),
    filesLeft: MAX_READ_FILES,
    textLeft: MAX_READ_TEXT,
    place: { projectFolder: folder, folder: folder ?? '.', home: context.home },
    depth: 0,
    parseBudget: 4 * command.length + 65_536,
    understood: true,
  }
  const reader = createReader(state, context.readFile)
  try {
    const parsed = parseScript(command)
    if (parsed === null) return refusal('more heredocs than can be judged')
    reader.visit(parsed, 'none')
    reader.readFunctions()
  } catch {
    return refusal('cannot be parsed')
  }
  const classification = summarize(state.findings)
  return { classification: state.unknown.size === 0 ? classification : { ...classification, unknown: [...state.unknown] }, commands: state.commands, understood: state.understood }
}

/** The class of a shell command line, with reasons. See readShell. */
export const classifyShell = (command: string, context: ShellContext = {}): Classification =>
  readShell(command, context).classification
