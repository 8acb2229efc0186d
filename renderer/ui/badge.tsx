import type { ReactNode } from 'react'
import type { Session } from '../../shared/contract/schemas/session.ts'
import type { ActionClass, PolicyEffect } from '../../shared/contract/schemas/tool-call.ts'

/** `accent` asks for a look, `danger` is danger, `quiet` is as it should be. */
export type BadgeLook = 'normal' | 'accent' | 'danger' | 'quiet'

/** One word of state. What its colour says, the word says too. */
export const Badge = ({ look = 'normal', title, children }: { look?: BadgeLook; title?: string; children: ReactNode }) => (
  <span className={`badge ${look}`} title={title}>
    {children}
  </span>
)

const STATES: Readonly<Record<Session['state'], { look: BadgeLook; full: boolean }>> = {
  starting: { look: 'accent', full: false },
  running: { look: 'accent', full: true },
  paused: { look: 'normal', full: false },
  killing: { look: 'danger', full: true },
  killed: { look: 'quiet', full: false },
  ended: { look: 'quiet', full: false },
  failed: { look: 'danger', full: false },
}

/** A session's state, with a dot that is full while something runs. */
export const StateBadge = ({ state }: { state: Session['state'] }) => (
  <Badge look={STATES[state].look}>
    <span className={`dot${STATES[state].full ? ' full' : ''}`} aria-hidden="true" />
    {state}
  </Badge>
)

const CLASS_LOOK: Readonly<Record<ActionClass, BadgeLook>> = { read: 'quiet', write: 'normal', destructive: 'danger' }

/** What a tool call does at most. */
export const ClassBadge = ({ of }: { of: ActionClass }) => <Badge look={CLASS_LOOK[of]}>{of}</Badge>

const EFFECT_LOOK: Readonly<Record<PolicyEffect, BadgeLook>> = { deny: 'danger', ask: 'accent', allow: 'quiet' }

/** What a rule, or all of them together, says to a tool call. */
export const EffectBadge = ({ of }: { of: PolicyEffect }) => <Badge look={EFFECT_LOOK[of]}>{of}</Badge>
