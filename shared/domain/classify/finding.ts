import type { ActionClass, Classification } from '../../contract/schemas/tool-call.ts'

/** One thing that was noticed about an action. */
export interface Finding {
  readonly class: ActionClass
  readonly reason: string
}

const RANK: Readonly<Record<ActionClass, number>> = { read: 0, write: 1, destructive: 2 }
const MAX_REASONS = 8
const MAX_REASON_LENGTH = 300

/** Whether `left` is a stricter class than `right`. */
export const isStricter = (left: ActionClass, right: ActionClass): boolean => RANK[left] > RANK[right]

export const read = (reason: string): Finding => ({ class: 'read', reason })
export const write = (reason: string): Finding => ({ class: 'write', reason })
export const destructive = (reason: string): Finding => ({ class: 'destructive', reason })

/**
 * The strictest class found, with the reasons for that class alone: at most 8, each once, each at most 300 characters.
 * Nothing found is a read.
 */
export const summarize = (findings: Iterable<Finding>): Classification => {
  let strictest: ActionClass = 'read'
  let reasons = new Set<string>()
  for (const finding of findings) {
    if (isStricter(finding.class, strictest)) {
      strictest = finding.class
      reasons = new Set()
    }
    if (finding.class === strictest && reasons.size < MAX_REASONS) reasons.add(finding.reason.slice(0, MAX_REASON_LENGTH))
  }
  return { class: strictest, reasons: reasons.size === 0 ? ['changes nothing outside itself'] : [...reasons] }
}

/** Text of an agent made safe to show in one line: control and invisible characters visible, cut at `limit` characters. */
export const shown = (text: string, limit = 80): string => {
  const cut = text.length > limit ? `${text.slice(0, limit)}…` : text
  return cut.replace(/\uFFFC\uFFFB?/g, '‹?›').replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) =>
    character === '\n' ? ' ' : `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`)
}
