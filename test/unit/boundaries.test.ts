import { expect, it } from 'vitest'
import { readBoundaries } from '../../shared/domain/onboarding/boundaries.ts'

it.each([
  ['## Forbidden', 'forbidden'],
  ['## Never without asking', 'forbidden'],
  ['## Do not do without approval', 'forbidden'],
  ['**Requires approval:**', 'forbidden'],
  ['## Allowed without asking', 'allowed'],
  ['## Allowed autonomously', 'allowed'],
  ['## You may do without approval', 'allowed'],
])('what stands below "%s" is %s', (heading, kind) => {
  expect(readBoundaries('CLAUDE.md', `${heading}\n- deploying\n`)).toEqual([{ kind, text: 'deploying', file: 'CLAUDE.md', line: 2 }])
})
