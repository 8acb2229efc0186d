import type { ApprovalRequest } from '../../shared/contract/schemas/approval.ts'
import { approvalWords } from '../../shared/domain/approval-answers.ts'
import { inputFields, inputSummary } from '../../shared/domain/describe.ts'
import { visibleText } from '../../shared/domain/visible-text.ts'
import { h } from './dom.ts'
import type { Queue } from './queue.ts'

export type Answer = 'once' | 'session' | 'deny' | 'kill'

/** The keys, in the order of the buttons. */
export const KEYS: readonly { readonly key: string; readonly answer: Answer; readonly look: string }[] = [
  { key: 'a', answer: 'once', look: 'primary' },
  { key: 's', answer: 'session', look: 'normal' },
  { key: 'd', answer: 'deny', look: 'normal' },
  { key: 'k', answer: 'kill', look: 'stop' },
]

const WORDS = {
  deny: { label: 'Deny', hint: 'It does not run; the agent is told so and goes on.' },
  kill: { label: 'Kill and revert', hint: 'Ends the agent and puts its folder back.' },
}

const CONSEQUENCE = {
  read: 'It reads, and changes nothing.',
  write: 'It changes something in the folder; a revert takes that back.',
  destructive: 'It may destroy something, or reach beyond the folder, where a revert does not help.',
} as const

const fact = (name: string, ...value: (Node | string)[]): readonly Node[] => [h('dt', {}, name), h('dd', {}, ...value)]

/** One question in full: what, where, why it is asked, and what happens if the answer is yes. */
export const question = (request: ApprovalRequest, onAnswer: (answer: Answer) => void): HTMLElement => {
  const { class: actionClass, reasons } = request.decision.classification
  const rules = request.decision.rules.map(({ effect, rule, source }) => h('li', {}, `${effect} `, h('code', {}, visibleText(rule)), ` (${visibleText(source)})`))
  return h(
    'section',
    { class: 'panel question', 'aria-labelledby': 'title', tabindex: '-1' },
    h('h1', { id: 'title' }, visibleText(request.agent), ' wants to use ', h('code', {}, visibleText(request.tool))),
    h('p', { class: 'bar' }, h('span', { class: `badge ${actionClass === 'destructive' ? 'danger' : ''}` }, actionClass), h('span', { class: 'muted' }, CONSEQUENCE[actionClass])),
    ...inputFields(request.input).map(({ name, text }) => h('div', { class: 'field' }, h('h2', {}, name === '' ? 'input' : name), h('pre', { class: 'block', tabindex: '0', role: 'group', 'aria-label': name === '' ? 'input' : name }, text))),
    h(
      'dl',
      { class: 'facts' },
      ...fact('in', h('code', {}, visibleText(request.cwd))),
      ...fact('why it is asked', reasons.length === 0 ? 'a rule says so' : reasons.map(visibleText).join('; ')),
      ...(rules.length === 0 ? [] : fact('by the rule', h('ul', {}, ...rules))),
      ...fact('denied by itself', h('span', { id: 'countdown', class: 'number' })),
    ),
    h(
      'div',
      { class: 'answers', role: 'group', 'aria-label': 'Your answer' },
      ...KEYS.map(({ key, answer, look }) => {
        const { label, hint } = { ...WORDS, ...approvalWords(request.tool) }[answer]
        return h('button', { type: 'button', class: `button big ${look}`, title: hint, 'data-answer': answer, 'aria-keyshortcuts': key, click: () => onAnswer(answer) }, `${label} `, h('kbd', { 'aria-hidden': 'true' }, key))
      }),
    ),
    h('p', { id: 'deaf', class: 'muted' }),
  )
}

/** The others that wait, to go to. */
export const others = (queue: Queue, onShow: (id: string) => void): HTMLElement | null => {
  if (queue.waiting.length < 2) return null
  return h(
    'nav',
    { 'aria-label': 'All that wait' },
    h('h2', {}, `${queue.waiting.length} wait`),
    h(
      'ul',
      { class: 'panel' },
      ...queue.waiting.map((request) => {
        const isShown = request.id === queue.shown?.id
        const summary = `${visibleText(request.agent)}: ${visibleText(request.tool)} ${visibleText(inputSummary(request.input))}`
        return h('li', {}, h('button', { type: 'button', class: 'choice clip', title: summary, ...(isShown ? { 'aria-current': 'true' } : {}), click: () => onShow(request.id) }, summary))
      }),
    ),
  )
}
