import type { ApprovalRequest } from '../../shared/contract/schemas/approval.ts'

/** How long a question takes no key and no click after it appears, in ms: what a person was doing must not answer it. */
export const DEAF_MS = 800

/** The questions that wait, and the one that is shown. */
export interface Queue {
  readonly waiting: readonly ApprovalRequest[]
  readonly shown: ApprovalRequest | null
  /** When the shown one appeared. */
  readonly shownAt: number
}

export const EMPTY_QUEUE: Queue = { waiting: [], shown: null, shownAt: 0 }

const settle = (queue: Queue, waiting: readonly ApprovalRequest[], now: number): Queue => {
  const still = waiting.find(({ id }) => id === queue.shown?.id)
  if (still !== undefined) return { waiting, shown: still, shownAt: queue.shownAt }
  return { waiting, shown: waiting[0] ?? null, shownAt: now }
}

/** The shown question stays when others come or go: nothing is ever put under a finger that is about to press. */
export const withAll = (queue: Queue, requests: readonly ApprovalRequest[], now: number): Queue => settle(queue, requests, now)

export const withChange = (queue: Queue, request: ApprovalRequest, now: number): Queue => {
  const others = queue.waiting.filter(({ id }) => id !== request.id)
  if (request.state !== 'waiting') return settle(queue, others, now)
  const known = queue.waiting.some(({ id }) => id === request.id)
  return settle(queue, known ? queue.waiting.map((one) => (one.id === request.id ? request : one)) : [...others, request], now)
}

export const withShown = (queue: Queue, id: string, now: number): Queue => {
  const shown = queue.waiting.find((one) => one.id === id)
  return shown === undefined || shown.id === queue.shown?.id ? queue : { ...queue, shown, shownAt: now }
}

/** Whether an answer counts now. */
export const mayAnswer = (queue: Queue, now: number): boolean => queue.shown !== null && now - queue.shownAt >= DEAF_MS && now < queue.shown.expiresAt

/** The others that wait for the very same call. */
export const alikeTo = ({ waiting }: Queue, { id, bindingHash }: ApprovalRequest): readonly ApprovalRequest[] => waiting.filter((other) => other.bindingHash === bindingHash && other.id !== id)

/** Of those that wait for the very same call only the first. */
export const firstOfEach = ({ waiting }: Queue): readonly ApprovalRequest[] => waiting.filter(({ bindingHash }, index) => waiting.findIndex((other) => other.bindingHash === bindingHash) === index)
