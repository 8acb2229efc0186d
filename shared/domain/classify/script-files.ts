import type { Redirection } from 'unbash'
import type { ScriptHooks } from './call.ts'
import { destructive, shown } from './finding.ts'
import { isLossToEmpty, resolvePath } from './paths.ts'
import { readMakeArguments } from './make-arguments.ts'
import { recipesOf } from './make-recipes.ts'
import { type ReadText, scriptsOf, type Targets } from './project-targets.ts'
import type { Input, ShellState } from './shell-state.ts'
import { isKnown } from './unknown.ts'
import { valueOfWord } from './words.ts'

const MAX_FILES = 64
/** Files of the project that one command line may make us read. */
export const MAX_READ_FILES = 24
/** Characters of them, all together: each takes the host a microsecond or two. */
export const MAX_READ_TEXT = 256 * 1024

type FileHooks = Pick<ScriptHooks, 'runFile' | 'fileContent' | 'noteFile' | 'runTargets'>

/**
 * The files that a command line makes and runs, and those of the project that it runs. What a file of the project says
 * can only raise a class: it may say something else by the time it runs.
 */
export const createScriptFiles = (
  state: ShellState, readFile: ReadText | undefined, runScript: ScriptHooks['runScript'],
): FileHooks & { noteRedirects(redirects: readonly Redirection[], output: Input): void } => {
  const pathOf = (path: string): string => resolvePath(path, state.place)
  const fileContent = (path: string): Input | null => (isKnown(path) ? (state.files.get(pathOf(path)) ?? null) : null)
  const noteFile = (path: string, content: Input): void => {
    if (isKnown(path) && state.files.size < MAX_FILES) state.files.set(pathOf(path), content)
  }

  const read: ReadText = (path) => {
    if (readFile === undefined || !isKnown(path)) return undefined
    state.filesLeft -= 1
    if (state.filesLeft < 0) {
      state.findings.push(destructive('runs more files than can be judged'))
      return null
    }
    const text = readFile(pathOf(path))
    state.textLeft -= text?.length ?? 0
    if (state.textLeft >= 0) return text
    state.findings.push(destructive('runs files that are longer than can be judged'))
    return null
  }

  /** The line itself may have made the file. */
  const readMade: ReadText = (path) => {
    const made = fileContent(path)
    return made === null ? read(path) : typeof made === 'object' ? made.text : made === 'none' ? '' : null
  }

  /** The programs that a file of the project runs are the project's own choice: none of them is asked about as unknown. */
  const runOwn = (text: string, why: string): void => {
    const unknown = new Set(state.unknown)
    state.parseBudget += 2 * text.length
    runScript(text, why)
    for (const name of state.unknown) if (!unknown.has(name)) state.unknown.delete(name)
  }

  const runFile = (path: string, shell: string | null): boolean => {
    const made = fileContent(path)
    if (made !== null) {
      if (typeof made === 'object') runScript(made.text, `the file ${shown(path)}`)
      else if (made !== 'none') state.findings.push(destructive(`runs ${shown(path)}, which was just made and cannot be seen here`))
      return true
    }
    const text = read(path)
    if (typeof text === 'string' && (shell !== null ? !/^#!(?!.*sh\b)/.test(text) : /^#!.*sh\b/.test(text))) runOwn(text, `the file ${shown(path)}`)
    return false
  }

  const inFolder = (folder: string, program: string, { targets, unread }: Targets): void => {
    for (const each of unread) state.findings.push(destructive(`${program}: would read what cannot be seen here: ${shown(each)}`))
    const { place } = state
    state.place = { ...place, folder: pathOf(folder) }
    for (const { name, script } of targets) {
      if (script === null) state.findings.push(destructive(`runs more than can be judged: ${program} ${shown(name)}`))
      else runOwn(script, `${program} ${shown(name)}`)
    }
    state.place = place
  }

  const runTargets = (program: string, args: readonly string[]): void => {
    if (readFile === undefined) return
    if (!/^g?make$/.test(program)) return scriptsOf(readMade, program, args).forEach(({ folder, ...found }) => inFolder(folder, program, found))
    const given = readMakeArguments(args)
    const unknown = [...given.folders, ...given.files, ...given.includeFolders, ...given.texts, ...given.targets].find((word) => !isKnown(word))
    if (unknown !== undefined) return void state.findings.push(destructive(`${program}: which targets of which file it runs cannot be told`))
    const folder = given.folders.reduce((from, to) => (/^[/~]/.test(to) ? to : `${from}/${to}`), '.')
    inFolder(folder, program, recipesOf((path) => readMade(/^[/~]/.test(path) ? path : `${folder}/${path}`), given))
  }

  const noteRedirects = (redirects: readonly Redirection[], output: Input): void => {
    for (const redirect of redirects) {
      if (redirect.type !== 'Redirect' || redirect.target === undefined || !/^(>|>>|>\||&>|&>>)$/.test(redirect.operator)) continue
      const path = valueOfWord(redirect.target, state.variables)
      const appends = redirect.operator.endsWith('>>')
      if (!appends && typeof output === 'object' && output.text === '' && isLossToEmpty(path)) state.findings.push(destructive(`empties a file: ${shown(path)}`))
      const before = appends ? fileContent(path) : 'none'
      if (before === 'none') noteFile(path, output)
      else noteFile(path, before !== null && typeof before === 'object' && typeof output === 'object' ? { text: `${before.text}\n${output.text}` } : 'hidden')
    }
  }

  return { runFile, fileContent, noteFile, runTargets, noteRedirects }
}
