import { type Call, runInput } from './call.ts'
import { classifySql } from './classify-sql.ts'
import { INTERPRETERS, judgeCode } from './code.ts'
import { readArguments, valuesOfOption } from './family.ts'
import { destructive, type Finding, read, shown, write } from './finding.ts'
import { judgeWrittenPath } from './paths.ts'
import { SQL_CLIENTS, type SqlClient } from './sql-clients.ts'
import { isBlank, UNKNOWN } from './unknown.ts'

const INTERPRETER_OF = new Map(INTERPRETERS.flatMap((entry) => entry.names.map((name) => [name, entry] as const)))
const SHELLS = new Set(['sh', 'bash', 'zsh', 'dash', 'ash', 'ksh', 'mksh', 'fish', 'rbash', 'yash', 'csh', 'tcsh', 'osh', 'hush'])
const SQL_CLIENTS_OF = new Map<string, SqlClient[]>()
for (const client of SQL_CLIENTS) {
  for (const name of client.names) SQL_CLIENTS_OF.set(name, [...(SQL_CLIENTS_OF.get(name) ?? []), client])
}

export const isShell = (program: string): boolean => SHELLS.has(program)

/** Whether a program runs code in some language: a shell's, its own, or SQL. */
export const runsCode = (program: string): boolean =>
  SHELLS.has(program) || INTERPRETER_OF.has(program) || SQL_CLIENTS_OF.has(program)

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
    else if (commandFollows) {
      hooks.assignTo('0', args[i + 1] ?? call.program)
      return state.variables.withArguments(args.slice(i + 2), () => hooks.runScript(argument, `${call.program} -c`))
    }
    else if (readsInput) break
    else if (checksOnly) return void state.findings.push(read(`${call.program} -n: only checks a script`))
    else if (/^\/dev\/(fd\/|stdin)/.test(argument)) {
      return void state.findings.push(destructive(`${call.program}: runs a script that cannot be seen here`))
    } else {
      state.findings.push(write(`runs the script ${shown(argument)}`))
      return state.variables.withArguments(args.slice(i + 1), () => void hooks.runFile(argument, call.program))
    }
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
  let inPlace = false
  for (let i = 0; i < args.length; i += 1) {
    const argument = args[i] ?? ''
    if (interpreter.backticksRun && /^-[a-zA-Z0-9]*i/.test(argument)) {
      inPlace = true
      state.findings.push(write(`${program} -i: rewrites files in place`))
    }
    const isCluster = interpreter.backticksRun === true && /^-[a-zA-Z0-9]*[eE]$/.test(argument)
    const attached = interpreter.codeOptions.find((option) =>
      option.startsWith('--') ? argument.startsWith(`${option}=`) : option.length === 2 && option === '-c' && /^-c./.test(argument))
    if (interpreter.codeOptions.includes(argument) || isCluster || (program.startsWith('py') && /^-[bBdEiIOqsSuvx]+c$/.test(argument)) || (argument === 'eval' && i === 0)) {
      i += 1
      hasCode = true
      judge(program === 'pwsh' || program === 'powershell' ? args.slice(i).join(' ') : (args[i] ?? UNKNOWN))
    } else if (attached !== undefined) {
      hasCode = true
      judge(argument.slice(attached.length).replace(/^=/, ''))
    } else if (argument === '-m' && program.startsWith('py')) {
      if (args[i + 1] === 'json.tool') return void state.findings.push(args.length > i + 3 ? write('formats JSON into a file') : read('formats JSON'))
      state.findings.push(write(`${program} -m ${shown(args[i + 1] ?? '')}`))
      return call.run(args.slice(i + 1), input, 'maybe')
    } else if (/^-(enc|EncodedCommand|e)\w*$/i.test(argument) && /^(pwsh|powershell)$/.test(program)) {
      return void state.findings.push(destructive(`${program}: runs an encoded command`))
    } else if (/^(-V|-v|--version|--help|-h|--check)$/.test(argument)) {
      return void state.findings.push(read(`${program} ${argument}`))
    } else if (valueOptions.has(argument)) i += 1
    else if (/^\/dev\/(fd\/|stdin)/.test(argument)) {
      return void state.findings.push(destructive(`${program}: runs code that cannot be seen here`))
    } else if (argument === '-') break
    else if (argument === 'run' && i === 0 && /^(deno|bun)$/.test(program)) continue
    else if (/^(pwsh|powershell)$/.test(program) && !/^-|\.ps1$/i.test(argument) && !hasCode) return void judge(args.slice(i).join(' '))
    else if (!argument.startsWith('-')) {
      if (hasCode) {
        if (inPlace) state.findings.push(...args.slice(i).map((path) => judgeWrittenPath(path, state.place)))
        return
      }
      if (/^(https?|ftp|npm|jsr|data):/i.test(argument)) return void state.findings.push(destructive(`${program}: runs code from elsewhere: ${shown(argument)}`))
      state.findings.push(write(`runs ${program} ${shown(argument)}`))
      const made = call.hooks.fileContent(argument)
      if (made !== null) return typeof made === 'object' ? void judge(made.text) : void state.findings.push(destructive(`${program}: runs a file that was just made, and cannot be seen here`))
      if (!/[^\x21-\x7e]/.test(argument)) call.run(args.slice(i), input, 'maybe')
      return
    }
  }
  if (hasCode) return
  if (input === 'unknown' || input === 'hidden') state.findings.push(destructive(`${program}: runs code that cannot be seen here`))
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
  if (args.some((argument) => /^--dry[-_]run$/.test(argument)) && !args.some((argument) => argument.startsWith('--nodry')) && program === 'bq') {
    state.findings.push(read(`${program}: only checks a query`))
    return true
  }
  const texts = client.sqlOptions.flatMap((option) => valuesOfOption(args, option))
  args.forEach((argument, index) => {
    if (client.cluster?.test(argument)) texts.push(args[index + 1] ?? UNKNOWN)
  })
  if (client.sqlFromWord !== undefined) texts.push(...words.slice(client.sqlFromWord))
  for (const text of texts) {
    if (isBlank(text)) state.findings.push(destructive(`${program}: runs SQL that cannot be seen here`))
    else state.findings.push(...toFindings(classifySql(text)))
    const shell = /^\s*\\!\s*(.+)$/s.exec(text)?.[1] ?? /^\s*\.(?:shell|system)\s+(.+)$/s.exec(text)?.[1]
    if (shell !== undefined) call.hooks.runScript(shell, `${program} from its input`)
  }
  const files = (client.fileOptions ?? []).flatMap((option) => valuesOfOption(args, option)).filter((file) => file !== '-')
  if (client.scriptWord !== undefined) files.push(...words.filter((word) => client.scriptWord?.test(word)))
  for (const file of files) state.findings.push(destructive(`${program}: runs ${shown(file)}, whose SQL cannot be seen here`))
  if (texts.length > 0 || files.length > 0) return true
  if (call.input === 'unknown' || call.input === 'hidden') state.findings.push(destructive(`${program}: runs SQL that cannot be seen here`))
  else if (call.input === 'none') state.findings.push(write(`opens ${program}`))
  else state.findings.push(...toFindings(classifySql(call.input.text)))
  return true
}

const toFindings = (classification: { class: Finding['class']; reasons: readonly string[] }): Finding[] =>
  classification.reasons.map((reason) => ({ class: classification.class, reason }))

/**
 * Judges the code that a shell, an interpreter or an SQL client is given. False when the program is none of these, or
 * its arguments are not those of an SQL session, so that what else is known of it holds.
 */
export const judgeRunner = (call: Call): boolean => {
  if (SHELLS.has(call.program)) judgeShell(call)
  else if (INTERPRETER_OF.has(call.program)) judgeInterpreter(call)
  else return SQL_CLIENTS_OF.get(call.program)?.map((client) => judgeSqlClient(client, call)).includes(true) ?? false
  return true
}
