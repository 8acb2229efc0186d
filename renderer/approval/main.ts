import type { CommandParams } from '../../shared/contract/protocol.ts'
import type { ApprovalRequest } from '../../shared/contract/schemas/approval.ts'
import type { Proposal } from '../../shared/contract/schemas/proposal.ts'
import type { Session } from '../../shared/contract/schemas/session.ts'
import { formatDuration } from '../../shared/domain/format.ts'
import { visibleText } from '../../shared/domain/visible-text.ts'
import { isInApp } from '../login/open-socket.ts'
import '../theme/apply-theme.ts'
import '../theme/theme.css'
import './approval.css'
import { createChanges } from './changes.ts'
import { h } from './dom.ts'
import { connectHost, type ApprovalHost } from './host.ts'
import { logIn } from './login.ts'
import { alikeTo, EMPTY_QUEUE, mayAnswer, withAll, withChange, withShown, type Queue } from './queue.ts'
import { createPaused } from './paused.ts'
import { KEYS, others, question, type Given } from './view.ts'

const app = document.getElementById('app')
if (app === null) throw new Error('approval.html has no place for the page')

let queue: Queue = EMPTY_QUEUE
let host: ApprovalHost | null = null
let said = ''
let drawn: ApprovalRequest | null = null
/** Those that were said to wait for the very same call when the page was drawn last. */
let drawnAlike: ApprovalRequest['id'][] = []

const main = h('main', { class: 'approvals' })
const changes = createChanges((text) => {
  said = text
  draw()
})
const paused = createPaused((text) => {
  said = text
  draw()
})
const status = h('p', { role: 'status', class: 'muted' })

/** What changes with the time alone: the countdown, and whether the buttons listen yet. */
const tick = (): void => {
  const { shown } = queue
  if (shown === null) return
  const now = Date.now()
  const left = shown.expiresAt - now
  const countdown = document.getElementById('countdown')
  if (countdown !== null) countdown.textContent = left > 0 ? `in ${formatDuration(left)}` : 'now'
  const listens = host !== null && mayAnswer(queue, now)
  for (const button of main.querySelectorAll<HTMLButtonElement>('.answers button')) button.setAttribute('aria-disabled', String(!listens))
  const deaf = document.getElementById('deaf')
  if (deaf !== null) deaf.textContent = host === null ? 'The host cannot be reached: nothing can be answered, and nothing runs.' : listens ? '' : 'One moment: so that no key you were pressing answers this.'
}

/** What stands there while no call waits. */
const quiet = (): HTMLElement =>
  changes.count() + paused.count() > 0
    ? h('h1', {}, paused.count() > 0 ? 'A session stands still until you have looked' : 'A change waits for your word')
    : h('section', { class: 'panel empty' }, h('h1', {}, 'Nothing waits for you'), h('p', {}, 'A call that needs your answer, and a change of a rule, appear here.'))

const draw = (): void => {
  const { shown, waiting } = queue
  const asked = waiting.length + changes.count() + paused.count()
  document.title = `${asked > 0 ? `(${asked}) ` : ''}Approvals · Holdfast`
  status.textContent = said
  if (shown === null || shown.id !== drawn?.id) {
    const view = shown === null ? quiet() : question(shown, (given) => void give(given))
    main.replaceChildren(status, view, paused.element, changes.element)
    changes.moved()
    if (shown !== null) view.focus({ preventScroll: true })
  } else main.querySelector('nav')?.remove()
  if (shown === null) main.children[1]?.replaceWith(quiet())
  drawnAlike = shown === null ? [] : alikeTo(queue, shown).map(({ id }) => id)
  const alike = document.getElementById('alike')
  if (alike !== null) {
    alike.hidden = drawnAlike.length === 0
    alike.textContent = `The very same call waits ${drawnAlike.length + 1} times: your answer is for each of them.`
  }
  const list = others(queue, (id) => change(withShown(queue, id, Date.now())))
  if (list !== null) main.append(list)
  drawn = shown
  tick()
}

const change = (next: Queue): void => {
  queue = next
  draw()
}

/** What is sent for an answer, beside which question it is for. */
const decisionOf = (given: Exclude<Given, { answer: 'kill' }>, alike: Pick<CommandParams<'approval/decide'>, 'alike'>) => {
  switch (given.answer) {
    case 'once':
      return { answer: 'approve', scope: 'once', ...alike } as const
    case 'session':
      return { answer: 'approve', scope: 'session' } as const
    case 'always':
      return { answer: 'approve', scope: 'always', ...(given.rule === null ? {} : { rule: given.rule }) } as const
    case 'change':
      return { answer: 'approve', scope: 'once', changedInput: given.changedInput } as const
    default:
      return { answer: 'deny', reason: given.reason || 'The user said no.', pause: given.answer === 'pause', ...alike } as const
  }
}

const give = async (given: Given): Promise<void> => {
  const { shown } = queue
  if (shown === null || host === null || !mayAnswer(queue, Date.now())) return
  try {
    if (given.answer === 'kill') {
      said = 'Killing the session…'
      draw()
      const { reports } = await host.call('session/kill', { sessionIds: [shown.sessionId], keepChanges: false })
      const survivors = reports.flatMap((report) => report.survivors)
      said = survivors.length === 0 ? 'The session is killed; nothing of it is left running.' : `Still running: ${survivors.join(', ')}.`
    } else {
      const { id: approvalId, bindingHash } = shown
      const { state } = await host.call('approval/decide', { approvalId, bindingHash, ...decisionOf(given, { alike: drawnAlike }) })
      const what = state === 'denied' ? (given.answer === 'pause' ? 'Denied, and the session is paused' : 'Denied') : given.answer === 'change' ? 'Approved as changed' : 'Approved'
      said = `${what}: ${visibleText(shown.tool)}`
    }
  } catch (error) {
    said = error instanceof Error ? visibleText(error.message) : 'The answer did not arrive.'
  }
  draw()
}

const isWriting = (target: EventTarget | null): boolean => target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement

document.addEventListener('keydown', (event) => {
  if (event.repeat || event.ctrlKey || event.altKey || event.metaKey || isWriting(event.target)) return
  const pressed = KEYS.find(({ key }) => key === event.key)
  if (pressed !== undefined) void give({ answer: pressed.answer })
})

const showLogin = (): void =>
  main.replaceChildren(
    h('h1', {}, 'This window is not logged in'),
    ...(isInApp()
      ? [h('p', {}, 'The app logs its windows in by itself. Open this one again from the tray.')]
      : [h('p', {}, 'A login link works once and for a minute, and the login lasts a week. Get a new link with:'), h('pre', { class: 'block' }, 'holdfast up --shell browser')]),
    h('p', { class: 'muted' }, 'In a terminal, "holdfast approvals" lists what waits.'),
  )

const start = (token: string): void => {
  setInterval(tick, 200)
  draw()
  connectHost(token, {
    onConnected: (connected) => {
      host = connected
      void connected
        .call('event/subscribe', {})
        .then(() => changes.connected(connected))
        .then(() => paused.connected(connected))
        .then(() => connected.call('approval/list', {}))
        .then(({ requests }) => change(withAll(queue, requests, Date.now())))
        .catch(() => undefined)
    },
    onEvent: (name, data) => {
      if (name === 'approval/changed') change(withChange(queue, data as ApprovalRequest, Date.now()))
      if (name === 'session/changed') {
        const before = paused.count()
        paused.changed(data as Session)
        if (paused.count() !== before) draw()
      }
      if (name === 'proposal/changed') {
        changes.changed(data as Proposal)
        draw()
      }
    },
    onAway: () => {
      host = null
      changes.away()
      paused.away()
      tick()
    },
    onRefused: showLogin,
  })
}

app.replaceWith(main)
const token = await logIn()
if (token === null) showLogin()
else if (token !== 'leaving') start(token)
