import { expect, it } from 'vitest'
import { secretState, secretStateText } from '../../shared/domain/secret-state.ts'

const DAY = 86_400_000
const kept = (more: { expiresAt?: number }) => ({ name: 'agent/x', createdAt: 0, ...more })

it.each([
  [{}, 89 * DAY, 'ok', 'ok'],
  [{}, 90 * DAY, 'rotate', 'rotate: older than 90 days'],
  [{ expiresAt: 200 * DAY }, 150 * DAY, 'ok', 'expires in 50 days'],
  [{ expiresAt: 200 * DAY }, 187 * DAY, 'rotate', 'rotate: expires in 13 days'],
  [{ expiresAt: 200 * DAY }, 199 * DAY, 'rotate', 'rotate: expires in 1 day'],
  [{ expiresAt: 200 * DAY }, 200 * DAY, 'expired', 'expired'],
] as const)('says when a secret is due: %j at %d', (more, now, state, text) => {
  expect([secretState(kept(more), now), secretStateText(kept(more), now)]).toEqual([state, text])
})
