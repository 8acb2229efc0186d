import type { ReactNode } from 'react'

/** Names and what belongs to them, in two columns. */
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

/** Figures side by side, each with its name and, small, what it is made of. */
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
