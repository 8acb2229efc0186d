import type { ApprovalRequest } from '../contract/schemas/approval.ts'
import { readShell } from './classify/classify-shell.ts'
import { createSubject, matchesRule, parseRule } from './rule-match.ts'

const MAX_RULES = 6
const MAX_RULE = 1_000

const prefixesOf = (argv: readonly string[]): string[] => {
  const plain = argv.findIndex((word) => !/^[\w./:@%+=,-]+$/.test(word))
  const words = plain === -1 ? argv : argv.slice(0, plain)
  return words.map((_, index) => words.slice(0, words.length - index).join(' ')).filter((text) => text.includes(' '))
}

const specifiersOf = ({ tool, input, cwd }: Pick<ApprovalRequest, 'tool' | 'input' | 'cwd'>): string[] => {
  const { command, file_path: file, host, port } = (input ?? {}) as Record<string, unknown>
  if (tool === 'Bash' && typeof command === 'string' && command.length <= MAX_RULE) {
    const { commands, understood } = readShell(command, { cwd })
    const written = commands.filter((one) => one.written)
    return understood && written.length === 1 ? [command, ...prefixesOf(written[0]?.argv ?? []).map((prefix) => `${prefix}:*`)] : [command]
  }
  if (tool === 'Network' && typeof host === 'string' && typeof port === 'number') {
    const above = /^[^.]+\.(.+\..+)$/.exec(host)?.[1]
    return [`${host}:${port}`, host, ...(above === undefined || /^[\d.:]+$/.test(host) ? [] : [`*.${above}`])]
  }
  if (typeof file === 'string') {
    const inside = file.startsWith(`${cwd}/`) ? file.slice(cwd.length) : file.startsWith('/') ? `/${file}` : `/${file}`
    const folder = inside.slice(0, inside.lastIndexOf('/'))
    return [inside, ...(folder.length > 1 ? [`${folder}/**`] : [])]
  }
  return []
}

/**
 * Rules that would let a call pass for always, the narrowest first: each covers it, and each can be narrowed or widened by
 * hand. Empty where a tool's calls have no such rule, or the call is too long for one.
 */
export const proposeRules = (request: Pick<ApprovalRequest, 'tool' | 'input' | 'cwd'>): string[] => {
  const { tool, input, cwd } = request
  const texts = specifiersOf(request).map((specifier) => `${tool}(${specifier})`)
  const good = texts.filter((text) => text.length <= MAX_RULE).filter((text) => {
    const parsed = parseRule(text)
    return parsed.ok && matchesRule(parsed.rule, createSubject(tool, input, cwd), 'allow')
  })
  return [...new Set(good)].slice(0, MAX_RULES)
}
