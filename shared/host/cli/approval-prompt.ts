import type { ApprovalRequest } from '../../contract/schemas/approval.ts'
import { approvalLines } from './render.ts'

export type PromptAnswer = 'approve' | 'approve-session' | 'deny' | 'kill'

const KEYS: Readonly<Record<string, PromptAnswer>> = { a: 'approve', s: 'approve-session', d: 'deny', k: 'kill' }

/** How long after it appears the prompt takes no key, in ms: what a person was typing must not answer it. */
export const DEAF_MS = 600

export interface ApprovalPrompt {
  readonly request: ApprovalRequest
  /** What to write to the terminal to show it. */
  readonly screen: string
  /**
   * What a chunk of terminal input answers, or null. A key counts only when it came alone: what a terminal sends by
   * itself, such as an answer to an escape sequence the agent printed, comes as several bytes.
   */
  answer(chunk: Buffer, now: number): PromptAnswer | null
}

/** The question of one approval, shown over whatever the agent draws. */
export const createApprovalPrompt = (request: ApprovalRequest, shownAt: number, columns: number): ApprovalPrompt => {
  const rule = '─'.repeat(Math.max(10, Math.min(columns, 100)))
  const lines = [
    rule,
    '  Holdfast: the agent waits for your answer',
    '',
    ...approvalLines(request, shownAt).map((line) => `  ${line}`),
    '',
    '  [a] approve once   [s] approve for this session   [d] deny   [k] kill the session and revert',
    rule,
  ]
  return {
    request,
    screen: `\x1b[0m\x1b[2J\x1b[H${lines.join('\r\n')}\r\n`,
    answer: (chunk, now) => {
      if (now - shownAt < DEAF_MS || chunk.length !== 1) return null
      return KEYS[chunk.toString('latin1').toLowerCase()] ?? null
    },
  }
}
