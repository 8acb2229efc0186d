import type { ApprovalRequest } from '../../shared/contract/schemas/approval.ts'
import type { Parts } from '../parts.ts'
import type { Notify } from './notifier.ts'
import { boxQuestion, hasButtons, notificationAnswers, notificationQuestion } from './approval-question.ts'

export type Answer = 'approve' | 'deny' | 'later'

/** A page takes several connections to its host, so that question is answered for a minute. */
const approveWords = ({ tool }: ApprovalRequest): string => (tool === 'Network' ? 'Approve for one minute' : 'Approve once')

/** Asks with the system's own message box. Closing it answers nothing: what nobody answers is denied when it expires. */
export const askInBox = async ({ dialog }: Pick<Parts, 'dialog'>, request: ApprovalRequest): Promise<Answer> => {
  const { title, body, whole } = boxQuestion(request)
  const answers: readonly Answer[] = whole ? ['deny', 'approve', 'later'] : ['deny', 'later']
  const words = { deny: 'Deny', approve: approveWords(request), later: 'Later' }
  const { response } = await dialog.showMessageBox({
    type: 'warning',
    title: 'Holdfast',
    message: title,
    detail: body,
    buttons: answers.map((answer) => words[answer]),
    defaultId: 0,
    cancelId: answers.indexOf('later'),
    noLink: true,
  })
  return answers[response] ?? 'later'
}

/** Says that a question waits; a click shows it, and where the system has buttons they answer it. */
export const notifyQuestion = (
  notify: Notify,
  request: ApprovalRequest,
  { locked, platform }: { locked: boolean; platform: string },
  on: { show(): void; answer(answer: 'approve' | 'deny'): void },
): { close(): void } => {
  const question = notificationQuestion(request)
  const answers = notificationAnswers(question, { locked, platform })
  return notify({
    title: question.title,
    body: question.body,
    urgency: 'critical',
    timeoutType: 'never',
    actions: answers.map((answer) => ({ type: 'button' as const, text: answer === 'deny' ? 'Deny' : approveWords(request) })),
    onClick: () => on.show(),
    onAction: (index) => {
      const answer = answers[index]
      if (answer !== undefined) on.answer(answer)
    },
  })
}

/** Before the app is left while sessions run: they stay under the host, end, or the app stays. */
export const askQuit = async ({ dialog }: Pick<Parts, 'dialog'>, running: number): Promise<'stay' | 'leave' | 'kill'> => {
  const { response } = await dialog.showMessageBox({
    type: 'question',
    title: 'Holdfast',
    message: running === 1 ? 'A session still runs.' : `${running} sessions still run.`,
    detail: 'Without this app the host goes on and holds what is destructive, but no hotkey kills, and nothing asks you here.',
    buttons: ['Stay', 'Quit and let them run', 'Kill them and quit'],
    defaultId: 0,
    cancelId: 0,
    noLink: true,
  })
  return (['stay', 'leave', 'kill'] as const)[response] ?? 'stay'
}

/** Says what a kill did; where something was put back, its button or a click leads to Undo. */
export const notifyKill = (
  parts: Pick<Parts, 'dialog'>,
  notify: Notify,
  words: { readonly title: string; readonly body: string },
  platform: string,
  undo: (() => void) | null,
): void => {
  if (undo === null) return void notify(words)
  notify({
    ...words,
    ...(hasButtons(platform) ? { actions: [{ type: 'button' as const, text: 'Undo' }] } : {}),
    onAction: undo,
    onClick: () => void askUndo(parts).then((yes) => (yes ? undo() : undefined)),
  })
}

/** Before a revert is taken back: a click on a notification is made too easily. */
const askUndo = async ({ dialog }: Pick<Parts, 'dialog'>): Promise<boolean> => {
  const { response } = await dialog.showMessageBox({
    type: 'question',
    title: 'Holdfast',
    message: 'Take the revert back?',
    detail: 'The killed sessions have changed files, and those were put back as they were before. Undo brings the changes back.',
    buttons: ['Keep it as it is', 'Undo'],
    defaultId: 0,
    cancelId: 0,
    noLink: true,
  })
  return response === 1
}
