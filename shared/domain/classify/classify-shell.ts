import { type Command, forEachChild, type Pipeline, type Redirect, type Redirection, type SyntaxNode } from 'unbash'
import type { Classification } from '../../contract/schemas/tool-call.ts'
import { judgeCommand } from './commands.ts'
import { destructive, shown, summarize, write } from './finding.ts'
import { judgeWrittenPath } from './paths.ts'
import { type Input, parseNested, parseScript, type ShellState, type SimpleCommand } from './shell-state.ts'
import {
  createVariables, expandArgument, expandWord, isGlob, isKnown, textOfParts, UNKNOWN, valueOfAssignment, valueOfWord,
} from './words.ts'
import { COMMAND_VARIABLES, LOADING_VARIABLES } from './wrappers.ts'

export interface ShellContext {
  /** The project's folder, where the command starts; without it no path counts as outside the project. */
  readonly cwd?: string | undefined
  /** The agent's home folder, when known. */
  readonly home?: string | undefined
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

const textOfEcho = (argv: readonly string[]): Input => {
  const words = argv.slice(1)
  if (argv[0] === 'echo') {
    while (/^-[neE]+$/.test(words[0] ?? '')) words.shift()
  } else if (argv[0] !== 'printf') return 'unknown'
  else if (words.length > 1) return 'unknown'
  const text = words.join(' ').replaceAll('\\n', '\n')
  return isKnown(text) && !/[\\%]/.test(text) ? { text } : 'unknown'
}

const inputOfRedirects = (redirects: readonly Redirection[], state: ShellState): Input | null => {
  let input: Input | null = null
  for (const redirect of redirects) {
    if (redirect.type === 'HereDoc') {
      const { body } = redirect
      input = { text: body.parts === undefined ? body.text : textOfParts(body.parts, state.variables) }
    } else if (redirect.type === 'HereString') {
      input = redirect.target === undefined ? 'unknown' : { text: valueOfWord(redirect.target, state.variables) }
    } else if (redirect.operator === '<' || redirect.operator === '<>') {
      const target = redirect.target === undefined ? '' : valueOfWord(redirect.target, state.variables)
      input = target === '/dev/null' ? 'none' : 'unknown'
    }
  }
  return input
}

const judgeRedirect = (redirect: Redirect, state: ShellState): void => {
  const target = redirect.target === undefined ? UNKNOWN : valueOfWord(redirect.target, state.variables)
  if (/^\/dev\/(tcp|udp)\//.test(target)) state.findings.push(destructive(`opens a connection: ${shown(target)}`))
  else if (redirect.operator === '<' || redirect.operator === '<&') return
  else if (redirect.operator === '>&' && /^(\d+|-|\d+-)$/.test(target)) return
  else state.findings.push(judgeWrittenPath(target, state.place))
}

/** Reads every node; what a node's own reading covers is not visited again. */
const createReader = (state: ShellState) => {
  const runScript = (script: string, why: string): void => {
    const parsed = parseNested(script, state)
    if (parsed === null) {
      state.findings.push(destructive(`${why}: too tangled to judge`))
      state.understood = false
      return
    }
    if (!isKnown(script)) state.findings.push(write(`${why}: runs a script that is only partly known`))
    state.depth += 1
    visit(parsed, 'none')
    state.depth -= 1
  }

  const assignTo = (name: string, value: string | null): void => {
    if (state.namedPrograms.has(name) && state.variables.get(name) !== value) {
      state.findings.push(destructive(`$${name} names a program, and changes: which one runs cannot be told`))
    }
    state.variables.set(name, value)
  }

  const judgeVariable = (name: string, value: string): void => {
    if (LOADING_VARIABLES.test(name)) state.findings.push(destructive(`${name}: makes a program load other code`))
    else if (COMMAND_VARIABLES.test(name) && value !== '') runScript(value, name)
  }

  const readCommand = (command: Command, piped: Input): void => {
    for (const item of command.prefix) if (item.type === 'Assignment') visitParts(item)
    const { name } = command
    const argv: string[] = []
    if (name !== undefined) {
      argv.push(...(isGlob(name) ? [UNKNOWN] : expandWord(name, state.variables)))
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
      if (bare) assignTo(item.name, value)
      judgeVariable(item.name, value ?? UNKNOWN)
    }
    if (/^(export|declare|local|readonly|typeset)$/.test(argv[0] ?? '')) {
      for (const argument of command.args) {
        if (argument.type !== 'Assignment') continue
        const value = valueOfAssignment(argument, state.variables)
        assignTo(argument.name, value)
        judgeVariable(argument.name, value ?? UNKNOWN)
      }
    }
    if (bare) return
    const input = inputOfRedirects(command.redirects, state) ?? piped
    judgeCommand(argv, input, state, { runScript, assignTo, judgeVariable, written: state.depth === 0 })
  }

  const outputOf = (node: SyntaxNode): Input => {
    if (node.type !== 'Command' || node.name === undefined) return 'unknown'
    const argv = [node.name, ...node.args].flatMap((argument) => expandArgument(argument, state.variables))
    if (argv[0] === 'cat' && argv.length === 1) return inputOfRedirects(node.redirects, state) ?? 'unknown'
    return textOfEcho(argv)
  }

  const readPipeline = (pipeline: Pipeline, piped: Input): void => {
    let input = piped
    for (const command of pipeline.commands) {
      visit(command, input)
      input = outputOf(command)
    }
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
        if (state.functions.has(node.name.value)) state.functions.set(`${node.name.value} ${node.pos}`, node.body)
        else state.functions.set(node.name.value, node.body)
        return
      case 'For':
      case 'Select':
        state.variables.set(node.name.value, null)
        forEachChild(node, (child) => visit(child, piped))
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

  /** Bodies are read last, when all variables that they may use are known; a body may define more. */
  const readFunctions = (): void => {
    for (const [name, body] of state.functions) {
      if (body === null) continue
      state.functions.set(name, null)
      state.readingFunction = name
      visit(body, 'none')
      state.readingFunction = null
    }
  }

  return { visit, readFunctions }
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
    variables: createVariables(4 * command.length + 65_536),
    functions: new Map(),
    aliases: new Map(),
    readingFunction: null,
    namedPrograms: new Set(),
    place: { projectFolder: folder, folder: folder ?? '.', home: context.home },
    depth: 0,
    parseBudget: 4 * command.length + 65_536,
    understood: true,
  }
  try {
    const parsed = parseScript(command)
    if (parsed === null) return refusal('more heredocs than can be judged')
    const reader = createReader(state)
    reader.visit(parsed, 'none')
    reader.readFunctions()
  } catch {
    return refusal('cannot be parsed')
  }
  return { classification: summarize(state.findings), commands: state.commands, understood: state.understood }
}

/** The class of a shell command line, with reasons. See readShell. */
export const classifyShell = (command: string, context: ShellContext = {}): Classification =>
  readShell(command, context).classification
