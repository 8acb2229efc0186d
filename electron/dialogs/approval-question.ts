import type { ApprovalRequest } from '../../shared/contract/schemas/approval.ts'
import { oneLine, plainText } from '../plain-text.ts'

/** More than this nobody reads in a box, and a box may cut it off, in characters and lines. */
const MAX_BOX = { characters: 1_200, lines: 25 }
const MAX_NOTIFICATION = { characters: 160, lines: 3 }

export interface Question {
  readonly title: string
  readonly body: string
  /** Whether all that would run is shown. Where it is not, nothing may be approved. */
  readonly whole: boolean
}

/** Lines of a value stand in from ours, so that none passes for one. */
const indented = (value: string): string => value.replaceAll('\n', '\n    ')

const inputText = (input: unknown): string => {
  const entries = typeof input === 'object' && input !== null && !Array.isArray(input) ? Object.entries(input) : [['input', input] as const]
  return entries.map(([name, value]) => `${name}: ${indented(typeof value === 'string' ? value : JSON.stringify(value))}`).join('\n')
}

const questionWithin = (max: { characters: number; lines: number }, request: ApprovalRequest, lines: readonly string[]): Question => {
  const text = plainText([inputText(request.input), ...lines].join('\n'))
  const title = `${oneLine(request.agent)} wants to use ${oneLine(request.tool)} (${request.decision.classification.class})`
  const whole = text.length <= max.characters && text.split('\n').length <= max.lines && !title.includes('…')
  return {
    title,
    body: whole ? text : `${text.slice(0, max.characters).split('\n').slice(0, max.lines).join('\n')}\n… It is longer than can be shown here: answer it on the approvals page, or with: holdfast approvals`,
    whole,
  }
}

/** A question for the system's own message box. */
export const boxQuestion = (request: ApprovalRequest): Question =>
  questionWithin(MAX_BOX, request, [`in: ${indented(request.cwd)}`, `why: ${indented(request.decision.classification.reasons.join('; '))}`])

/** A question for a notification. */
export const notificationQuestion = (request: ApprovalRequest): Question => questionWithin(MAX_NOTIFICATION, request, [`in: ${indented(request.cwd)}`])

/** Where a notification can have buttons. Source: Electron's NotificationAction. */
export const hasButtons = (platform: string): boolean => platform === 'darwin' || platform === 'win32'

/**
 * What a notification's buttons may be: Approve only where all is shown, nobody is away from a locked screen, and the
 * platform has buttons at all.
 */
export const notificationAnswers = ({ whole }: Question, { locked, platform }: { locked: boolean; platform: string }): readonly ('deny' | 'approve')[] => {
  if (!hasButtons(platform) || locked) return []
  return whole ? ['deny', 'approve'] : ['deny']
}
