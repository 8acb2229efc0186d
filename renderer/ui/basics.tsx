import { useId, type ComponentProps, type ReactNode } from 'react'
import type { Session } from '../../shared/contract/schemas/session.ts'
import type { ActionClass, PolicyEffect } from '../../shared/contract/schemas/tool-call.ts'
import { formatDuration } from '../../shared/domain/format.ts'
import { visibleText } from '../../shared/domain/visible-text.ts'
import { useNow } from '../connection/hooks.ts'

type ButtonKind = 'normal' | 'primary' | 'danger' | 'stop' | 'plain'

export const Button = ({ kind = 'normal', big = false, ...props }: ComponentProps<'button'> & { kind?: ButtonKind; big?: boolean }) => (
  <button type="button" {...props} className={`button ${kind}${big ? ' big' : ''}`} />
)

export const ButtonLink = ({ kind = 'normal', ...props }: ComponentProps<'a'> & { kind?: ButtonKind }) => <a {...props} className={`button ${kind}`} />

/** Text that someone else wrote: nothing in it is hidden, and nothing in it is markup. */
export const Foreign = ({ text }: { text: string }) => <>{visibleText(text)}</>

const STATES: Readonly<Record<Session['state'], { look: string; full: boolean }>> = {
  starting: { look: 'accent', full: false },
  running: { look: 'accent', full: true },
  paused: { look: '', full: false },
  killing: { look: 'danger', full: true },
  killed: { look: 'quiet', full: false },
  ended: { look: 'quiet', full: false },
  failed: { look: 'danger', full: false },
}

export const StateBadge = ({ state }: { state: Session['state'] }) => (
  <span className={`badge ${STATES[state].look}`}>
    <span className={`dot${STATES[state].full ? ' full' : ''}`} aria-hidden="true" />
    {state}
  </span>
)

const CLASS_LOOK: Readonly<Record<ActionClass, string>> = { read: 'quiet', write: '', destructive: 'danger' }

export const ClassBadge = ({ of }: { of: ActionClass }) => <span className={`badge ${CLASS_LOOK[of]}`}>{of}</span>

const EFFECT_LOOK: Readonly<Record<PolicyEffect, string>> = { deny: 'danger', ask: 'accent', allow: 'quiet' }

export const EffectBadge = ({ of }: { of: PolicyEffect }) => <span className={`badge ${EFFECT_LOOK[of]}`}>{of}</span>

const exact = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' })
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' })

/** How long ago, with the exact time on hover. */
export const Ago = ({ at }: { at: number }) => {
  const now = useNow(5_000)
  const text = now - at < 5_000 ? 'just now' : `${formatDuration(now - at)} ago`
  return (
    <time dateTime={new Date(at).toISOString()} title={exact.format(at)}>
      {text}
    </time>
  )
}

/** The time of day, with the date on hover. */
export const ClockTime = ({ at }: { at: number }) => (
  <time dateTime={new Date(at).toISOString()} title={exact.format(at)}>
    {clock.format(at)}
  </time>
)

/** From one moment to another, or to now while it lasts. */
export const Lasting = ({ from, until }: { from: number; until: number | null }) => {
  const now = useNow(1_000)
  return <span className="number">{formatDuration(Math.max(0, (until ?? now) - from))}</span>
}

export const Note = ({ children, fault = false }: { children: ReactNode; fault?: boolean }) => (
  <div className={`note${fault ? ' fault' : ''}`} role={fault ? 'alert' : 'status'}>
    {children}
  </div>
)

/** A fault of the last action or question, if there was one. */
export const Fault = ({ text }: { text: string | null }) => (text === null ? null : <Note fault>{visibleText(text)}</Note>)

export const Empty = ({ title, children }: { title: string; children?: ReactNode }) => (
  <div className="empty">
    <h2>{title}</h2>
    {children}
  </div>
)

export const Page = ({ title, actions, fill = false, children }: { title: ReactNode; actions?: ReactNode; fill?: boolean; children: ReactNode }) => (
  <div className={`page${fill ? ' fill' : ''}`}>
    <header className="page-head">
      <h1 className="grow clip">{title}</h1>
      {actions}
    </header>
    {children}
  </div>
)

/** A labelled control; `children` gets the id that ties them together. */
export const Field = ({ label, hint, children }: { label: string; hint?: ReactNode; children: (id: string, hintId: string | undefined) => ReactNode }) => {
  const id = useId()
  const hintId = hint === undefined ? undefined : `${id}-hint`
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children(id, hintId)}
      {hint !== undefined && (
        <p className="hint" id={hintId}>
          {hint}
        </p>
      )}
    </div>
  )
}

export const Facts = ({ of }: { of: readonly (readonly [string, ReactNode])[] }) => (
  <dl className="facts">
    {of.map(([name, value]) => (
      <div key={name} style={{ display: 'contents' }}>
        <dt>{name}</dt>
        <dd>{value}</dd>
      </div>
    ))}
  </dl>
)

export const Stats = ({ of }: { of: readonly { name: string; value: ReactNode; aside?: ReactNode }[] }) => (
  <dl className="stats">
    {of.map(({ name, value, aside }) => (
      <div className="stat" key={name}>
        <dt>{name}</dt>
        <dd>
          {value}
          {aside !== undefined && <small>{aside}</small>}
        </dd>
      </div>
    ))}
  </dl>
)

export const Tabs = ({ label, of, current }: { label: string; of: readonly { id: string; name: string; href: string }[]; current: string }) => (
  <nav className="tabs" aria-label={label}>
    {of.map(({ id, name, href }) => (
      <a key={id} href={href} aria-current={id === current ? 'page' : undefined}>
        {name}
      </a>
    ))}
  </nav>
)
