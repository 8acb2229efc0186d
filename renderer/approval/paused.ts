import type { CheckpointDiff } from '../../shared/contract/schemas/checkpoint.ts'
import type { Session } from '../../shared/contract/schemas/session.ts'
import { visibleText } from '../../shared/domain/visible-text.ts'
import { h } from './dom.ts'
import type { ApprovalHost } from './host.ts'
import { DEAF_MS } from './queue.ts'

type Answer = { readonly go: 'on'; readonly message: string } | { readonly go: 'end' }

/** Most changed files that are listed; how many more there are, is said. */
const MAX_FILES = 200

const changesOf = ({ counts, changes, omitted }: CheckpointDiff): readonly Node[] => {
  const lines = changes.slice(0, MAX_FILES).map(({ path, change, by }) => `${change.padEnd(11)} ${visibleText(path)}${by === 'session' || by === null ? '' : `  (${by})`}`)
  const more = omitted + Math.max(0, changes.length - MAX_FILES)
  return [
    h('p', {}, `${counts.added} added, ${counts.modified} modified, ${counts.deleted} deleted.`),
    ...(lines.length === 0 ? [] : [h('pre', { class: 'block', tabindex: '0', role: 'group', 'aria-label': 'Changed files' }, lines.join('\n'))]),
    ...(more === 0 ? [] : [h('p', { class: 'muted' }, `…and ${more} more.`)]),
  ]
}

const card = (session: Session, changed: HTMLElement, onAnswer: (answer: Answer) => void): HTMLElement => {
  const message = h('textarea', { class: 'block', rows: '2', maxlength: '4096' })
  return h(
    'section',
    { class: 'panel question', 'aria-label': `${visibleText(session.agent)} is paused` },
    h('h2', {}, `${visibleText(session.agent)} is paused`),
    h('p', {}, visibleText(session.reason ?? '')),
    h('h3', {}, 'What it changed'),
    changed,
    ...(session.adapter === 'none' ? [] : [h('label', { class: 'field' }, h('span', { class: 'label' }, 'What the agent is told when it goes on; may stay empty'), message)]),
    h(
      'div',
      { class: 'answers' },
      h('button', { type: 'button', class: 'button big primary', click: () => onAnswer({ go: 'on', message: message.value.trim() }) }, 'Go on'),
      h('button', { type: 'button', class: 'button big stop', click: () => onAnswer({ go: 'end' }) }, 'Kill and revert'),
    ),
  )
}

/**
 * Sessions that stand still until a person has looked, each with what it changed since the last look: it goes on, goes on
 * with a message, or ends. No key answers one, and no click in the first moment.
 */
export const createPaused = (say: (text: string) => void) => {
  const element = h('div', { class: 'changes' })
  const shown = new Map<string, { card: HTMLElement; shownAt: number }>()
  let host: ApprovalHost | null = null

  const answer = async (session: Session, given: Answer): Promise<void> => {
    const known = shown.get(session.id)
    if (host === null || known === undefined || Date.now() - known.shownAt < DEAF_MS) return
    try {
      if (given.go === 'on') {
        await host.call('session/resume', { sessionId: session.id, ...(given.message === '' ? {} : { message: given.message }) })
        say(given.message === '' ? 'It goes on.' : 'It goes on, and is told so with its next step.')
      } else {
        const { reports } = await host.call('session/kill', { sessionIds: [session.id], keepChanges: false })
        say(reports.every(({ survivors }) => survivors.length === 0) ? 'The session is killed; nothing of it is left running.' : 'Not all of it could be ended: kill it again.')
      }
    } catch (error) {
      say(error instanceof Error ? visibleText(error.message) : 'The answer did not arrive.')
    }
  }

  /** Since the review before this one, or since the start. */
  const look = async (session: Session, into: HTMLElement): Promise<void> => {
    try {
      const { checkpoints } = (await host?.call('checkpoint/list', { sessionId: session.id })) ?? { checkpoints: [] }
      const reviews = checkpoints.filter(({ reason }) => reason === 'review' || reason === 'start')
      const from = (reviews.at(-1)?.reason === 'review' ? reviews.at(-2) : reviews.at(-1)) ?? reviews.at(-1)
      const found = from === undefined ? undefined : await host?.call('checkpoint/diff', { sessionId: session.id, from: from.id, to: null })
      into.replaceChildren(...(found === undefined ? ['It was started without a checkpoint, so this cannot be told.'] : changesOf(found.diff)))
    } catch (error) {
      into.textContent = error instanceof Error ? visibleText(error.message) : 'It cannot be told.'
    }
  }

  const changed = (session: Session): void => {
    const known = shown.get(session.id)
    if (session.state !== 'paused') {
      known?.card.remove()
      shown.delete(session.id)
      return
    }
    if (known !== undefined) return
    const into = h('div', {}, 'Looking…')
    const made = card(session, into, (given) => void answer(session, given))
    shown.set(session.id, { card: made, shownAt: Date.now() })
    element.append(made)
    void look(session, into)
  }

  return {
    element,
    count: (): number => shown.size,
    changed,
    connected: async (connected: ApprovalHost): Promise<void> => {
      host = connected
      const { sessions } = await connected.call('session/list', {})
      for (const session of sessions) changed(session)
    },
    away: (): void => void (host = null),
  }
}
