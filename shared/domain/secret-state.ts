import type { SecretInfo } from '../contract/schemas/secret.ts'

const DAY_MS = 86_400_000
/** So long before it expires, a secret is to be rotated. */
const SOON_MS = 14 * DAY_MS
/** A secret of which no end is known is to be rotated at this age. */
const ROTATE_AFTER_MS = 90 * DAY_MS

/** Whether a secret can be used, and whether it is time for a new value. */
export const secretState = ({ createdAt, expiresAt }: SecretInfo, now: number): 'ok' | 'expired' | 'rotate' => {
  if (expiresAt !== undefined) return now >= expiresAt ? 'expired' : expiresAt - now < SOON_MS ? 'rotate' : 'ok'
  return now - createdAt >= ROTATE_AFTER_MS ? 'rotate' : 'ok'
}

/** The state in words. */
export const secretStateText = (info: SecretInfo, now: number): string => {
  const state = secretState(info, now)
  const days = info.expiresAt === undefined ? null : Math.floor((info.expiresAt - now) / DAY_MS)
  if (state === 'expired') return 'expired'
  if (days !== null) return `${state === 'rotate' ? 'rotate: ' : ''}expires in ${days} day${days === 1 ? '' : 's'}`
  return state === 'rotate' ? 'rotate: older than 90 days' : 'ok'
}
