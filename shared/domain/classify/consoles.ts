import type { Call } from './call.ts'
import { valuesOfOption } from './family.ts'
import { destructive, shown } from './finding.ts'
import { judgeWrittenPath } from './paths.ts'

/** Deletes every line. */
const EMPTIES = /^\s*(silent!? *|bufdo!? *|argdo!? *)*(%|1,\$|0,\$|,|g!?\/\.?\/|v\/\S*\/|global\/\.?\/)d(elete)?( *_)?( *\||$)/

/** What one script of a line editor does; `:` commands of vim's, or ed's. */
export const judgeEditorScript = ({ program, state, hooks }: Call, script: string): void => {
  for (const line of script.split(/\n/)) {
    if (EMPTIES.test(line)) state.findings.push(destructive(`${program}: deletes every line: ${shown(line)}`))
    const run = /^\s*(?:silent!? *)?(?:[\d,$%.']*\s*)(?:[rw]\s*)?!(.*)$/.exec(line)?.[1]
    if (run !== undefined && run.trim() !== '') hooks.runScript(run, program)
    if (/\b(delete|system|systemlist|rename|writefile|job_start|libcall)\s*\(|\b(lua|python3?|perl|ruby)\b.*\b(remove|unlink|system|execute|rmtree)\b/.test(line)) state.findings.push(destructive(`${program}: runs code that deletes, or runs another program: ${shown(line)}`))
    const path = /^\s*(?:silent!? *)?[\d,$%]*\s*w(?:rite)?!?\s+([^!\s]\S*)/.exec(line)?.[1]
    if (path !== undefined) state.findings.push(judgeWrittenPath(path, state.place))
  }
}

/** vim and its kin, by the commands in their arguments and input. False: what else is known of them holds as well. */
export const judgeEditor = (call: Call): boolean => {
  for (const option of ['-c', '--cmd', '-cmd']) for (const script of valuesOfOption(call.args, option)) judgeEditorScript(call, script)
  for (const argument of call.args) if (argument.startsWith('+')) judgeEditorScript(call, argument.slice(1))
  if (typeof call.input === 'object' && call.args.some((argument) => /^-(e?s|es|E|Es)$/.test(argument))) judgeEditorScript(call, call.input.text)
  return false
}

/** File transfer clients, by the commands they read. False: what else is known of them holds as well. */
export const judgeTransfer = ({ program, args, input, state }: Call): boolean => {
  const text = typeof input === 'object' ? input.text : ''
  if (input === 'hidden' || args.some((argument) => argument.startsWith('-b') && program === 'sftp')) state.findings.push(destructive(`${program}: runs commands that cannot be seen here`))
  if (/(^|\n|;)\s*-?@?(rm|rmdir|delete|mdelete|mrm|del|rename|mirror\s.*--(delete|Remove))\b/.test(text)) state.findings.push(destructive(`${program}: deletes or renames files on another machine`))
  return false
}
