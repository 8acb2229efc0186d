import type { ApprovalRequest } from '../../contract/schemas/approval.ts'

/** One thing to know before an answer: a name and its lines, of which `more` are not there. */
export interface ForeseenFact {
  readonly name: string
  readonly lines: readonly string[]
  readonly more: number
}

/** What was looked up of a call, and what the agent said before it, for a person; of each part at most `limit` lines. Text of the agent is in it. */
export const foreseenFacts = ({ foresight, words }: Pick<ApprovalRequest, 'foresight' | 'words'>, limit: number): ForeseenFact[] => {
  const facts: ForeseenFact[] = []
  const add = (name: string, lines: readonly string[], more = 0): void => {
    if (lines.length > 0) facts.push({ name, lines: lines.slice(0, limit), more: more + Math.max(0, lines.length - limit) })
  }
  if (foresight !== null) {
    const { preview, touches, moreTouches, production, recoverable } = foresight
    for (const part of preview) {
      const lines = [`${part.about}: ${part.summary}`, ...part.lines.map((line) => `  ${line}`)]
      add('would', lines, part.more)
    }
    add('touches', touches.map(({ kind, name }) => `${kind} ${name}`), moreTouches)
    add('prod', [production ? 'IT NAMES PRODUCTION' : 'production is not named'])
    if (recoverable !== null) add('revert', [`${recoverable.covered ? 'would bring it back' : 'does not bring all of it back'}: ${recoverable.why}`])
  }
  if (words !== null) {
    add('thought', words.thinking.trim() === '' ? [] : words.thinking.trim().split('\n'))
    add('said', words.text.trim() === '' ? [] : words.text.trim().split('\n'))
  }
  return facts
}
