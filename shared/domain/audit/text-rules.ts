import { isPlainSecret } from '../secret-names.ts'
import { isForeignModelAddress, isWideRule } from './claude-rules.ts'
import type { AuditedFile, AuditFinding } from './finding.ts'

type LineRule = (line: string, file: AuditedFile) => Omit<AuditFinding, 'line' | 'mend'> | null

const ASSIGNMENT = /^\s*(?:export\s+|set\s+-\w+\s+|setenv\s+)?([A-Za-z_]\w*)[= ]\s*["']?([^"'\s#]+)/

const assigned: LineRule = (line, { kind }) => {
  const [, name = '', value = ''] = ASSIGNMENT.exec(line) ?? []
  if (name === '' || (kind === 'shell' && !/^\s*(export|set|setenv)\s|^\s*\w+=/.test(line)) || !isPlainSecret(name, value)) return null
  return kind === 'shell'
    ? { rule: 'secret-in-environment', severity: 'high', threat: 'identity spoofing', what: `${name} is exported to every program you start`, why: 'each agent started from this shell holds it, and so does all that it runs',
        fix: `take the line out, and keep the value with "holdfast secret set agent/${name.toLowerCase().replaceAll('_', '-')}"` }
    : { rule: 'plaintext-secret', severity: 'medium', threat: 'data leak', what: `${name} lies in the project in plain text`, why: 'an agent reads the project, and what it reads goes to the model', fix: 'keep it outside the project, and give it to the program that needs it alone' }
}

const bypassAlias: LineRule = (line) =>
  !/--dangerously-skip-permissions|--dangerously-bypass-approvals-and-sandbox|--yolo\b|--permission-mode[= ]bypassPermissions|--sandbox[= ]danger-full-access/.test(line) ? null
    : { rule: 'bypass-mode', severity: 'high', threat: 'destructive actions', what: 'an agent is started in the mode that asks about nothing', why: 'one wrong or injected step deletes or sends, and nobody sees it before', fix: 'take that option out' }

const modelElsewhere: LineRule = (line) => {
  const [, name = '', value = ''] = ASSIGNMENT.exec(line) ?? []
  return name !== 'ANTHROPIC_BASE_URL' || value.includes('$') || !isForeignModelAddress(value) ? null
    : { rule: 'model-elsewhere', severity: 'medium', threat: 'data leak', what: 'ANTHROPIC_BASE_URL sends what agents say, and their key, to another address', why: 'who is there reads your code and answers as the model', fix: 'take the line out, unless that address is yours' }
}

const fetched: LineRule = (line) =>
  !/\b(curl|wget)\b[^#]{0,300}\|\s{0,5}(sudo\s{1,5})?(ba|z|da)?sh\b|\b(eval|source)\b.{0,100}\$?[(<]\(?\s{0,5}(curl|wget)\b/.test(line) ? null
    : { rule: 'fetched-script', severity: 'high', threat: 'supply chain', what: 'a script is fetched and run each time a shell starts', why: 'what it does is decided elsewhere', fix: 'keep a copy that you read, and run that' }

const tlsOff: LineRule = (line) =>
  !/\b(NODE_TLS_REJECT_UNAUTHORIZED=["']?0|GIT_SSL_NO_VERIFY=["']?(1|true)|PYTHONHTTPSVERIFY=["']?0)/.test(line) ? null
    : { rule: 'tls-off', severity: 'medium', threat: 'data leak', what: 'programs do not check whom they talk to', why: 'anyone on the way can be the other side', fix: 'take the line out' }

/** Tag characters outside an emoji flag, changes of direction, and spaces of no width. */
const HIDDEN = /(?<!\u{1F3F4}[\u{E0020}-\u{E007F}]{0,8})[\u{E0000}-\u{E007F}]|[\u202A-\u202E\u2066-\u2069\u200B\u2060\u00AD]/u

const hidden: LineRule = (line) =>
  !HIDDEN.test(line) ? null
    : { rule: 'hidden-text', severity: 'high', threat: 'prompt injection', what: 'characters that nobody sees stand in the instructions', why: 'the agent reads and follows them, and you cannot', fix: 'delete the line and write it anew' }

const injected: LineRule = (line) =>
  !/\b(ignore|disregard|forget) (all |any |the )*(previous|prior|above|earlier) (instructions|rules|prompts)|\b(do not|don't|never) (tell|mention|show|reveal)\b.{0,200}\b(to )?(the )?user\b|without (telling|informing|asking) the user/i.test(line) ? null
    : { rule: 'injected-instruction', severity: 'high', threat: 'prompt injection', what: 'the instructions tell the agent to set others aside, or to hide what it does', why: 'that is how an agent is turned against who runs it', fix: 'read the file as a whole before an agent does' }

const inlineShell: LineRule = (line, { scope }) =>
  !/(^|\s)!`[^`]+`/.test(line) ? null
    : { rule: 'inline-shell', severity: scope === 'project' ? 'high' : 'low', threat: 'supply chain', what: 'using this command or skill runs shell before anything is asked', why: 'it passes none of the agent\'s permissions', fix: 'take the !`…` out, and let the agent run it' }

const wideTools: LineRule = (line) => {
  const [, tools = ''] = /^allowed-tools:\s*(.+)$/.exec(line) ?? []
  return !tools.replaceAll(/["'[\]]/g, '').split(/,\s*/).some((tool) => isWideRule(tool.trim())) ? null
    : { rule: 'wide-allow', severity: 'high', threat: 'privilege escalation', what: 'using this command or skill lets any shell command through', why: 'what an agent reads can make it run that, unasked', fix: 'name the commands that it needs' }
}

const RULES: Partial<Record<AuditedFile['kind'], readonly LineRule[]>> = {
  shell: [assigned, bypassAlias, modelElsewhere, fetched, tlsOff],
  dotenv: [assigned, modelElsewhere, tlsOff],
  instructions: [hidden, injected],
  command: [hidden, injected, inlineShell, wideTools],
}

const MAX_LINE = 20_000

/** What is wrong with a file that is read line by line. Comment lines of shells are passed over. */
export const auditLines = (file: AuditedFile): AuditFinding[] => {
  const isComment = file.kind === 'shell' || file.kind === 'dotenv' ? /^\s*#/ : null
  return file.text.split('\n').flatMap((line, index) =>
    isComment?.test(line) === true ? [] : (RULES[file.kind] ?? []).flatMap((rule) => {
      const found = rule(line.slice(0, MAX_LINE), file)
      return found === null ? [] : [{ ...found, line: index + 1, mend: null }]
    }))
}
