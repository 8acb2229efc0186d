import type { ApprovalId } from '../../contract/ids.ts'
import type { ApprovalRequest } from '../../contract/schemas/approval.ts'
import { approvalWords } from '../../domain/approval-answers.ts'
import type { TerminalSize } from '../../core/ports.ts'
import { visibleText } from '../../domain/visible-text.ts'
import { approvalLines } from './render.ts'
import { wrapText } from './wrap-text.ts'

export type PromptAnswer = 'approve' | 'approve-session' | 'deny' | 'deny-and-pause' | 'kill' | { readonly denyBecause: string }

const REFUSALS: Readonly<Record<string, PromptAnswer>> = { d: 'deny', p: 'deny-and-pause', k: 'kill' }
const APPROVALS: Readonly<Record<string, PromptAnswer>> = { a: 'approve', s: 'approve-session' }
/** Space and Page Down; b and Page Up. */
const NEXT_PAGE = [' ', '\x1b[6~']
const PREVIOUS_PAGE = ['b', '\x1b[5~']

/**
 * How long no key must have been pressed before the prompt takes one, in ms: what a person was typing when it appeared must
 * not answer it, however long they type on, nor a key that is held down.
 */
export const DEAF_MS = 600

const TITLE = 'Holdfast: the agent waits for your answer'
const REFUSE_KEYS = ['[d] deny', '[r] deny and say why', '[p] deny and pause', '[k] kill the session and revert']
const REASON_KEYS = 'Why not? The agent is told. [Enter] deny   [Esc] back'
const MAX_REASON = 500
const PAGE_KEYS = ['[space] next page', '[b] back']
const MARGIN = '  '

export interface ApprovalPrompt {
  readonly request: ApprovalRequest
  /** Others that wait for the very same call, as they were last drawn: the answer is for them too. */
  alike(): readonly ApprovalId[]
  /** How the others are now; to be drawn. */
  setAlike(ids: readonly ApprovalId[]): void
  /** What to write to the terminal to show it; again when the size has changed or `press` says so. */
  draw(size: TerminalSize): string
  /**
   * What a chunk of terminal input means. A key counts only when it came alone: what a terminal sends by itself, such
   * as an answer to an escape sequence the agent printed, comes as several bytes. Nothing can be approved before all
   * of it was on the screen.
   */
  press(chunk: Buffer, now: number): PromptAnswer | 'redraw' | null
}

/** Keys with their words, as many in a row as fit; none is torn apart that fits a row. */
const keyRows = (keys: readonly string[], columns: number): string[] => {
  const rows: string[] = []
  for (const key of keys) {
    const last = rows.at(-1)
    if (last !== undefined && `${last}   ${key}`.length <= columns) rows[rows.length - 1] = `${last}   ${key}`
    else rows.push(key)
  }
  return rows.flatMap((row) => wrapText(row, columns))
}

/** The question of one approval, shown over whatever the agent draws. */
export const createApprovalPrompt = (request: ApprovalRequest, shownAt: number): ApprovalPrompt => {
  let size: TerminalSize = { columns: 0, rows: 0 }
  let page = 0
  let pageCount = 1
  let pageShownAt = shownAt
  /** Since when no key was pressed; null once a key counts. */
  let quietSince: number | null = shownAt
  let allSeen = false
  let others: readonly ApprovalId[] = []
  let drawn: readonly ApprovalId[] = []
  /** What was typed of a reason; null while none is asked for. */
  let reason: string | null = null
  const words = approvalWords(request)
  const approveKeys = [`[a] ${words.once.label.toLowerCase()}`, `[s] ${words.session.label.toLowerCase()}`]

  /** The question cut into pages that leave room for the title and the keys; none when the terminal is too small. */
  const layOut = (): string[][] => {
    const columns = size.columns - MARGIN.length
    if (columns < 20) return []
    const told = [...(others.length === 0 ? [] : [`The very same call waits ${others.length + 1} times: your answer is for each of them.`]), ...approvalLines(request, shownAt), ...(request.mayChange ? [`  change    holdfast approve ${request.id} --edit, in another terminal`] : [])]
    const body = told.flatMap((line) => wrapText(line, columns))
    const rowsBeside = (keys: readonly string[]): number => wrapText(TITLE, columns).length + 2 + keyRows(keys, columns).length
    if (body.length <= size.rows - rowsBeside([...approveKeys, ...REFUSE_KEYS])) return [body]
    const more = wrapText(moreText(body.length), columns).length
    const perPage = size.rows - rowsBeside([...PAGE_KEYS, ...approveKeys, ...REFUSE_KEYS]) - more
    if (perPage < 1) return []
    return Array.from({ length: Math.ceil(body.length / perPage) }, (_, index) => body.slice(index * perPage, (index + 1) * perPage))
  }

  const typeReason = (chunk: Buffer): PromptAnswer | 'redraw' | null => {
    const typed = chunk.toString('utf8')
    const said = reason ?? ''
    if (typed === '\r' || typed === '\n') return said.trim() === '' ? 'deny' : { denyBecause: said.trim() }
    if (typed === '\x1b' || typed === '\x03') reason = null
    else if (typed === '\x7f' || typed === '\b') reason = [...said].slice(0, -1).join('')
    // Keys alone: what a terminal sends by itself begins with an escape.
    else if (!typed.includes('\x1b')) reason = (said + typed.replaceAll(/\p{Cc}/gu, ' ')).slice(0, MAX_REASON)
    return 'redraw'
  }

  const moreText = (count: number): string => `…${count} more lines: press space, or see "holdfast approvals ${request.id}" in another terminal`

  return {
    request,
    alike: () => drawn,
    setAlike: (ids) => void (others = ids),
    draw: (now) => {
      drawn = others
      const isResized = now.columns !== size.columns || now.rows !== size.rows
      size = { columns: now.columns, rows: now.rows }
      if (isResized && !allSeen) page = 0
      const pages = layOut()
      pageCount = Math.max(1, pages.length)
      page = Math.min(page, pageCount - 1)
      if (pages.length > 0 && page === pageCount - 1) allSeen = true
      const left = pages.slice(page + 1).reduce((sum, rows) => sum + rows.length, 0)
      const keys = reason === null ? [...(pageCount > 1 ? PAGE_KEYS : []), ...(allSeen ? approveKeys : []), ...REFUSE_KEYS] : [`${REASON_KEYS}  > ${visibleText(reason).slice(-60)}`]
      const columns = Math.max(1, size.columns - MARGIN.length)
      const rows = [
        ...wrapText(TITLE, columns),
        '',
        ...(pages[page] ?? wrapText(`This terminal is too small for the question: make it larger, or see "holdfast approvals ${request.id}".`, columns)),
        ...(left > 0 ? wrapText(moreText(left), columns) : []),
        '',
        ...keyRows(keys, columns),
      ]
      return `\x1b[0m\x1b[2J\x1b[H${rows.map((row) => `${MARGIN}${row}`).join('\r\n')}`
    },
    press: (chunk, now) => {
      if (quietSince !== null && now - quietSince < DEAF_MS) {
        quietSince = now
        return null
      }
      quietSince = null
      if (reason !== null) return typeReason(chunk)
      const key = chunk.toString('latin1').toLowerCase()
      const turned = NEXT_PAGE.includes(key) ? page + 1 : PREVIOUS_PAGE.includes(key) ? page - 1 : page
      if (turned !== page && turned >= 0 && turned < pageCount) {
        page = turned
        pageShownAt = now
        return 'redraw'
      }
      if (chunk.length !== 1) return null
      if (key === 'r') {
        reason = ''
        return 'redraw'
      }
      if (allSeen && now - pageShownAt >= DEAF_MS && Object.hasOwn(APPROVALS, key)) return APPROVALS[key] ?? null
      return Object.hasOwn(REFUSALS, key) ? (REFUSALS[key] ?? null) : null
    },
  }
}
