import type { ApprovalRequest } from '../../shared/contract/schemas/approval.ts'
import { approvalWords } from '../../shared/domain/approval-answers.ts'
import { inputFields, inputSummary } from '../../shared/domain/describe.ts'
import { visibleText } from '../../shared/domain/visible-text.ts'
import { h } from './dom.ts'
import { foreseenFacts } from '../../shared/domain/foresight/words.ts'
import { alikeTo, firstOfEach, type Queue } from './queue.ts'

export type Answer = 'once' | 'session' | 'deny' | 'pause' | 'kill'

/** An answer as it was given: with a key, or with what a person wrote. */
export type Given =
  | { readonly answer: 'kill' }
  | { readonly answer: Exclude<Answer, 'kill'>; readonly reason?: string }
  | { readonly answer: 'change'; readonly changedInput: unknown }
  | { readonly answer: 'always'; readonly rule: string | null }

/** The keys, in the order of the buttons. */
export const KEYS: readonly { readonly key: string; readonly answer: Answer; readonly look: string }[] = [
  { key: 'a', answer: 'once', look: 'primary' },
  { key: 's', answer: 'session', look: 'normal' },
  { key: 'd', answer: 'deny', look: 'normal' },
  { key: 'p', answer: 'pause', look: 'normal' },
  { key: 'k', answer: 'kill', look: 'stop' },
]

const WORDS = {
  deny: { label: 'Deny', hint: 'It does not run; the agent is told so and goes on.' },
  pause: { label: 'Deny and pause', hint: 'It does not run, and the whole session stands still until you resume it.' },
  kill: { label: 'Kill and revert', hint: 'Ends the agent and puts its folder back.' },
}

const CONSEQUENCE = {
  read: 'It reads, and changes nothing.',
  write: 'It changes something in the folder; a revert takes that back.',
  destructive: 'It may destroy something; what it does beyond the folder, no revert takes back.',
} as const

const fact = (name: string, ...value: (Node | string)[]): readonly Node[] => [h('dt', {}, name), h('dd', {}, ...value)]

/** Lines of what was looked up; the page scrolls within each. */
const MAX_LINES = 500

const foreseen = (request: ApprovalRequest): readonly Node[] =>
  foreseenFacts(request, MAX_LINES).flatMap(({ name, lines, more }) =>
    fact(name, lines.length === 1 ? visibleText(lines[0] ?? '') : h('pre', { class: 'block', tabindex: '0', role: 'group', 'aria-label': name }, lines.map(visibleText).join('\n')), more === 0 ? '' : ` …and ${more} more`),
  )

/** A text to write in, with its name. */
const writing = (name: string, value: string, rows: number): { element: HTMLElement; read: () => string } => {
  const area = h('textarea', { class: 'block', rows: String(rows), spellcheck: 'false' })
  area.value = value
  return { element: h('label', { class: 'field' }, h('span', { class: 'label' }, visibleText(name)), area), read: () => area.value }
}

/** Another answer than the keys give, opened with a click so that no key starts it. */
const more = (title: string, ...children: (Node | null)[]): HTMLElement => h('details', { class: 'more' }, h('summary', {}, title), ...children)

const send = (label: string, onClick: () => void): HTMLElement => h('div', { class: 'answers' }, h('button', { type: 'button', class: 'button big', click: onClick }, label))

const changing = ({ input, mayChange }: ApprovalRequest, give: (given: Given) => void): HTMLElement | null => {
  if (!mayChange || typeof input !== 'object' || input === null) return null
  // As it is, not as it is shown: what is sent must be what stands there.
  const fields = Object.entries(input).map(([name, value]) => ({ name, isText: typeof value === 'string', ...writing(name, typeof value === 'string' ? value : JSON.stringify(value, null, 2), name === 'command' || name === 'content' ? 6 : 2) }))
  const problem = h('p', { role: 'alert', class: 'muted' })
  const read = (): void => {
    try {
      give({ answer: 'change', changedInput: Object.fromEntries(fields.map(({ name, isText, read: text }) => [name, isText ? text() : (JSON.parse(text()) as unknown)])) })
    } catch {
      problem.textContent = 'A field that is no text has to be JSON.'
    }
  }
  return more('Change it, then approve', ...fields.map(({ element }) => element), problem, send('Approve once as changed', read))
}

const granting = (request: ApprovalRequest, give: (given: Given) => void): HTMLElement | null => {
  if (request.tool.startsWith('mcp__')) return null
  const rule = h('input', { class: 'block', type: 'text', maxlength: '1000', spellcheck: 'false', 'aria-label': 'The rule' })
  const choices = request.grantRules.map((text) => h('li', {}, h('button', { type: 'button', class: 'choice mono', click: () => void (rule.value = text) }, visibleText(text))))
  return more(
    'Approve for 30 days',
    h('p', { class: 'muted' }, 'For this agent in this folder. Without a rule: this very call alone. With one: the calls that it covers and that are no worse than this one.'),
    choices.length === 0 ? null : h('ul', { class: 'panel' }, ...choices),
    h('label', { class: 'field' }, h('span', { class: 'label' }, 'Rule'), rule),
    send('Approve for 30 days', () => give({ answer: 'always', rule: rule.value.trim() === '' ? null : rule.value.trim() })),
  )
}

const denying = (give: (given: Given) => void): HTMLElement => {
  const reason = writing('What the agent is told', '', 2)
  return more('Deny and say why', reason.element, send('Deny', () => give({ answer: 'deny', reason: reason.read().trim() })))
}

/** One question in full: what, where, why it is asked, and what happens if the answer is yes. */
export const question = (request: ApprovalRequest, give: (given: Given) => void): HTMLElement => {
  const { class: actionClass, reasons } = request.decision.classification
  const rules = request.decision.rules.map(({ effect, rule, source }) => h('li', {}, `${effect} `, h('code', {}, visibleText(rule)), ` (${visibleText(source)})`))
  return h(
    'section',
    { class: 'panel question', 'aria-labelledby': 'title', tabindex: '-1' },
    h('h1', { id: 'title' }, visibleText(request.agent), ' wants to use ', h('code', {}, visibleText(request.tool))),
    h('p', { id: 'alike', class: 'note', hidden: true }),
    h('p', { class: 'bar' }, h('span', { class: `badge ${actionClass === 'destructive' ? 'danger' : ''}` }, actionClass), h('span', { class: 'muted' }, CONSEQUENCE[actionClass])),
    ...inputFields(request.input).map(({ name, text }) => h('div', { class: 'field' }, h('h2', {}, name === '' ? 'input' : name), h('pre', { class: 'block', tabindex: '0', role: 'group', 'aria-label': name === '' ? 'input' : name }, text))),
    h(
      'dl',
      { class: 'facts' },
      ...fact('in', h('code', {}, visibleText(request.cwd))),
      ...fact('why it is asked', reasons.length === 0 ? 'a rule says so' : reasons.map(visibleText).join('; ')),
      ...(rules.length === 0 ? [] : fact('by the rule', h('ul', {}, ...rules))),
      ...foreseen(request),
      ...fact('denied by itself', h('span', { id: 'countdown', class: 'number' })),
    ),
    h(
      'div',
      { class: 'answers', role: 'group', 'aria-label': 'Your answer' },
      ...KEYS.map(({ key, answer, look }) => {
        const { label, hint } = { ...WORDS, ...approvalWords(request) }[answer]
        return h('button', { type: 'button', class: `button big ${look}`, title: hint, 'data-answer': answer, 'aria-keyshortcuts': key, click: () => give({ answer }) }, `${label} `, h('kbd', { 'aria-hidden': 'true' }, key))
      }),
    ),
    h('p', { id: 'deaf', class: 'muted' }),
    changing(request, give),
    granting(request, give),
    denying(give),
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
      ...firstOfEach(queue).map((request) => {
        const isShown = request.bindingHash === queue.shown?.bindingHash
        const times = alikeTo(queue, request).length
        const summary = `${times === 0 ? '' : `${times + 1} times `}${visibleText(request.agent)}: ${visibleText(request.tool)} ${visibleText(inputSummary(request.input))}`
        return h('li', {}, h('button', { type: 'button', class: 'choice clip', title: summary, ...(isShown ? { 'aria-current': 'true' } : {}), click: () => onShow(request.id) }, summary))
      }),
    ),
  )
}
