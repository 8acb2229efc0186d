import { isPlainSecret } from '../secret-names.ts'
import { isForeignModelAddress, isWideRule } from './claude-rules.ts'
import { type AuditedFile, type AuditFinding, ITEM, type Mend } from './finding.ts'
import { itemName } from './item-name.ts'
import { canStandAlone } from './shell-line.ts'

/** What is wrong with a line, and the line as it is to be: `''` is none at all, null is for a person to write. */
type LineRule = (line: string, file: AuditedFile) => (Omit<AuditFinding, 'line' | 'mend'> & { readonly becomes: string | null; readonly keep?: { readonly item: string; readonly value: string } }) | null

const ASSIGNMENT = /^\s*(?:export\s+|set\s+-\w+\s+|setenv\s+)?([A-Za-z_]\w*)[= ]\s*["']?([^"'\s#]+)/

/** One assignment, and nothing behind it but a comment. */
const ALONE = /^\s*(?:export\s+|set\s+-\w+\s+|setenv\s+)?[A-Za-z_]\w*[= ]\s*(?:"([^"\\]*)"|'([^']*)'|([^\s"'#;&|]+))\s*(?:#[^\n]*)?$/

const assigned: LineRule = (line, { kind }) => {
  const [, name = '', value = ''] = ASSIGNMENT.exec(line) ?? []
  if (name === '' || (kind === 'shell' && !/^\s*(export|set|setenv)\s|^\s*\w+=/.test(line)) || !isPlainSecret(name, value)) return null
  const [whole, inDouble, inSingle, bare] = ALONE.exec(line) ?? []
  const keep = { item: itemName('', name), value: inDouble ?? inSingle ?? bare ?? '' }
  const becomes = whole === undefined ? null : `${kind === 'shell' ? ': ' : ''}# ${name} is kept in the keychain as ${ITEM}`
  return kind === 'shell'
    ? { rule: 'secret-in-environment', becomes, keep, severity: 'high', threat: 'identity spoofing', what: `${name} is exported to every program you start`, why: 'each agent started from this shell holds it, and so does all that it runs',
        fix: `keep the value in the keychain, and make the line a comment: programs that read ${name} from the environment then ask you to sign in, or stop working` }
    : { rule: 'plaintext-secret', becomes, keep, severity: 'medium', threat: 'data leak', what: `${name} lies in the project in plain text`, why: 'an agent reads the project, and what it reads goes to the model', fix: 'keep it in the keychain, and make the line a comment: what starts the program gives it to that program alone' }
}

const BYPASS = / ?(--dangerously-skip-permissions|--dangerously-bypass-approvals-and-sandbox|--yolo\b|--permission-mode[= ]bypassPermissions|--sandbox[= ]danger-full-access)/g

const bypassAlias: LineRule = (line) =>
  line.search(BYPASS) < 0 ? null
    : { rule: 'bypass-mode', becomes: line.replaceAll(BYPASS, ''), severity: 'high', threat: 'destructive actions', what: 'an agent is started in the mode that asks about nothing', why: 'one wrong or injected step deletes or sends, and nobody sees it before', fix: 'take that option out' }

/** A line of shell, or of a file of variables, that does nothing any more; `:` because a block may hold it alone. */
const asComment = (line: string, { kind }: AuditedFile): string => `${kind === 'shell' ? ': ' : ''}# ${line}`

const modelElsewhere: LineRule = (line, file) => {
  const [, name = '', value = ''] = ASSIGNMENT.exec(line) ?? []
  return name !== 'ANTHROPIC_BASE_URL' || value.includes('$') || !isForeignModelAddress(value) ? null
    : { rule: 'model-elsewhere', becomes: asComment(line, file), severity: 'medium', threat: 'data leak', what: 'ANTHROPIC_BASE_URL sends what agents say, and their key, to another address', why: 'who is there reads your code and answers as the model', fix: 'make the line a comment, unless that address is yours' }
}

const fetched: LineRule = (line, file) =>
  !/\b(curl|wget)\b[^#]{0,300}\|\s{0,5}(sudo\s{1,5})?(ba|z|da)?sh\b|\b(eval|source)\b.{0,100}\$?[(<]\(?\s{0,5}(curl|wget)\b/.test(line) ? null
    : { rule: 'fetched-script', becomes: asComment(line, file), severity: 'high', threat: 'supply chain', what: 'a script is fetched and run each time a shell starts', why: 'what it does is decided elsewhere', fix: 'make the line a comment; keep a copy that you read, and run that' }

const tlsOff: LineRule = (line, file) =>
  !/\b(NODE_TLS_REJECT_UNAUTHORIZED=["']?0|GIT_SSL_NO_VERIFY=["']?(1|true)|PYTHONHTTPSVERIFY=["']?0)/.test(line) ? null
    : { rule: 'tls-off', becomes: asComment(line, file), severity: 'medium', threat: 'data leak', what: 'programs do not check whom they talk to', why: 'anyone on the way can be the other side', fix: 'make the line a comment' }

/** Tag characters outside an emoji flag, changes of direction, and spaces of no width. */
const HIDDEN = /(?<!\u{1F3F4}[\u{E0020}-\u{E007F}]{0,8})[\u{E0000}-\u{E007F}]|[\u202A-\u202E\u2066-\u2069\u200B\u2060\u00AD]/u

const hidden: LineRule = (line) =>
  !HIDDEN.test(line) ? null
    : { rule: 'hidden-text', becomes: line.replaceAll(new RegExp(HIDDEN, 'gu'), ''), severity: 'high', threat: 'prompt injection', what: 'characters that nobody sees stand in the instructions', why: 'the agent reads and follows them, and you cannot', fix: 'take those characters out, and read what is left' }

const injected: LineRule = (line) =>
  !/\b(ignore|disregard|forget) (all |any |the )*(previous|prior|above|earlier) (instructions|rules|prompts)|\b(do not|don't|never) (tell|mention|show|reveal)\b.{0,200}\b(to )?(the )?user\b|without (telling|informing|asking) the user/i.test(line) ? null
    : { rule: 'injected-instruction', becomes: '', severity: 'high', threat: 'prompt injection', what: 'the instructions tell the agent to set others aside, or to hide what it does', why: 'that is how an agent is turned against who runs it', fix: 'take the line out, and read the rest of the file before an agent does' }

/** Claude Code and opencode write !`…`, Gemini !{…}. */
const INLINE = /(^|[\s"'])!(?=`[^`]+`|\{[^}]+\})/g

const inlineShell: LineRule = (line, { scope }) =>
  line.search(INLINE) < 0 ? null
    : { rule: 'inline-shell', becomes: line.replaceAll(INLINE, '$1'), severity: scope === 'project' ? 'high' : 'low', threat: 'supply chain', what: 'using this command or skill runs shell before anything is asked', why: 'it passes none of the agent\'s permissions', fix: 'take the ! out, and let the agent run it' }

const wideTools: LineRule = (line) => {
  const [, tools = ''] = /^allowed-tools:\s*(.+)$/.exec(line) ?? []
  const named = tools.replaceAll(/["'[\]\r]/g, '').split(/,\s*/)
  const narrow = named.filter((tool) => !isWideRule(tool.trim()))
  return narrow.length === named.length ? null
    : { rule: 'wide-allow', becomes: narrow.length === 0 ? '' : `allowed-tools: ${narrow.join(', ')}`, severity: 'high', threat: 'privilege escalation', what: 'using this command or skill lets any shell command through', why: 'what an agent reads can make it run that, unasked', fix: 'take the rule out, and name the commands that it needs' }
}

const RULES: Partial<Record<AuditedFile['kind'], readonly LineRule[]>> = {
  shell: [assigned, bypassAlias, modelElsewhere, fetched, tlsOff],
  dotenv: [assigned, modelElsewhere, tlsOff],
  instructions: [hidden, injected],
  command: [hidden, injected, inlineShell, wideTools],
}

const MAX_LINE = 20_000

/** A line's edit: the line alone; with its end where nothing is left of it. */
const mendOf = (found: NonNullable<ReturnType<LineRule>>, line: string, start: number, last: boolean): Mend | null => {
  const { becomes, keep } = found
  if (becomes === null) return null
  const end = line.endsWith('\r') && becomes !== '' ? line.length - 1 : becomes === '' && !last ? line.length + 1 : line.length
  return { kind: 'edit', edits: [{ kind: 'span', start, end: start + end, text: becomes.replace(/\r$/, '') }], ...(keep === undefined ? {} : { keep }) }
}

/** What is wrong with a file that is read line by line. Comment lines of shells are passed over. */
export const auditLines = (file: AuditedFile): AuditFinding[] => {
  const isComment = file.kind === 'shell' || file.kind === 'dotenv' ? /^\s*(:\s+)?#/ : null
  const lines = file.text.split('\n')
  let offset = 0
  return lines.flatMap((line, index) => {
    const start = offset
    offset += line.length + 1
    return isComment?.test(line) === true ? [] : (RULES[file.kind] ?? []).flatMap((rule): AuditFinding[] => {
      const found = rule(line.slice(0, MAX_LINE), file)
      if (found === null) return []
      const { becomes, keep: _, ...finding } = found
      const staysStatement = becomes === null || isComment?.test(becomes) !== true
      const isWhole = line.length <= MAX_LINE && (staysStatement || (canStandAlone(line) && !(lines[index - 1] ?? '').trimEnd().endsWith('\\')))
      return [{ ...finding, line: index + 1, mend: isWhole ? mendOf(found, line, start, index === lines.length - 1) : null }]
    })
  })
}
