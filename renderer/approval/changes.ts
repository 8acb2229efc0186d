import type { Proposal } from '../../shared/contract/schemas/proposal.ts'
import { formatDuration } from '../../shared/domain/format.ts'
import { diffParts } from '../../shared/domain/text-diff.ts'
import { visibleText } from '../../shared/domain/visible-text.ts'
import { h } from './dom.ts'
import type { ApprovalHost } from './host.ts'
import { DEAF_MS } from './queue.ts'

const list = (title: string, lines: readonly string[], look: string): HTMLElement | null =>
  lines.length === 0 ? null : h('div', { class: `note ${look}` }, h('h3', {}, title), h('ul', {}, ...lines.map((line) => h('li', {}, visibleText(line)))))

const difference = ({ name, before, after }: Proposal['texts'][number]): HTMLElement =>
  h(
    'div',
    { class: 'field' },
    h('h3', { class: 'mono' }, visibleText(name)),
    h(
      'pre',
      { class: 'block difference', tabindex: '0', role: 'group', 'aria-label': `What changes in ${visibleText(name)}` },
      ...diffParts(before ?? '', after).map((part) =>
        'skipped' in part
          ? h('span', { class: 'gap' }, `… ${part.skipped === 1 ? '1 line stays' : `${part.skipped} lines stay`}\n`)
          : h('span', { class: part.sign === '+' ? 'in' : part.sign === '-' ? 'out' : '' }, `${part.sign} ${visibleText(part.text)}\n`),
      ),
    ),
  )

const card = (proposal: Proposal, onAnswer: (answer: 'apply' | 'refuse') => void): HTMLElement =>
  h(
    'section',
    { class: 'panel question', 'aria-label': visibleText(proposal.title) },
    h('h2', {}, visibleText(proposal.title)),
    h('p', { class: 'muted' }, `Asked for on the dashboard; falls away in ${formatDuration(Math.max(0, proposal.expiresAt - Date.now()))}. It counts for sessions started from then on.`),
    list('Agents could then', proposal.wider, 'fault'),
    list('Agents could no longer', proposal.narrower, ''),
    ...proposal.texts.map(difference),
    h('div', { class: 'answers' }, h('button', { type: 'button', class: 'button big', click: () => onAnswer('refuse') }, 'Refuse'), h('button', { type: 'button', class: 'button big primary', click: () => onAnswer('apply') }, 'Make this change')),
  )

/**
 * Changes of what agents may do, each shown in full with its two answers. No single key answers one, and no click in the
 * first moment: what a person was doing must not widen anything.
 */
export const createChanges = (say: (text: string) => void) => {
  const element = h('div', { class: 'changes' })
  const waiting = new Map<string, { proposal: Proposal; shownAt: number }>()
  let host: ApprovalHost | null = null

  const answer = async ({ id, hash }: Proposal, given: 'apply' | 'refuse'): Promise<void> => {
    const shown = waiting.get(id)
    if (host === null || shown === undefined || Date.now() - shown.shownAt < DEAF_MS) return
    try {
      const { title } = await host.call('proposal/decide', { proposalId: id, hash, answer: given })
      say(`${given === 'apply' ? 'Done' : 'Refused'}: ${visibleText(title)}`)
    } catch (error) {
      say(error instanceof Error ? visibleText(error.message) : 'The answer did not arrive.')
    }
  }
  /** Nothing is put under a finger that is about to press. */
  const moved = (): void => {
    for (const shown of waiting.values()) shown.shownAt = Date.now()
  }
  const draw = (): void => {
    moved()
    element.replaceChildren(...[...waiting.values()].map(({ proposal }) => card(proposal, (given) => void answer(proposal, given))))
  }
  const put = (proposal: Proposal): void => {
    if (proposal.state === 'waiting') waiting.set(proposal.id, { proposal, shownAt: Date.now() })
    else waiting.delete(proposal.id)
  }

  return {
    element,
    moved,
    count: () => waiting.size,
    changed: (proposal: Proposal): void => {
      put(proposal)
      draw()
    },
    connected: async (connected: ApprovalHost): Promise<void> => {
      host = connected
      const { proposals } = await connected.call('proposal/list', {})
      waiting.clear()
      for (const proposal of proposals) put(proposal)
      draw()
    },
    away: (): void => {
      host = null
    },
  }
}
