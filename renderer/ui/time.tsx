import { formatDuration } from '../../shared/domain/format.ts'
import { useNow } from './use-now.ts'

const exact = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' })
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' })

const Time = ({ at, text }: { at: number; text: string }) => (
  <time dateTime={new Date(at).toISOString()} title={exact.format(at)}>
    {text}
  </time>
)

/** How long ago, with the exact time on hover. */
export const Ago = ({ at }: { at: number }) => {
  const now = useNow(5_000)
  return <Time at={at} text={now - at < 5_000 ? 'just now' : `${formatDuration(now - at)} ago`} />
}

/** The time of day, with the date where that is not today's. */
export const clockText = (at: number): string => (new Date(at).toDateString() === new Date().toDateString() ? clock : exact).format(at)

/** As `clockText`, with the date on hover. */
export const ClockTime = ({ at }: { at: number }) => <Time at={at} text={clockText(at)} />

/** Date and time, in the open. */
export const ExactTime = ({ at }: { at: number }) => <Time at={at} text={exact.format(at)} />

/** From one moment to another, or to now while it lasts. */
export const Lasting = ({ from, until }: { from: number; until: number | null }) => {
  const now = useNow(1_000)
  return <span className="number">{formatDuration(Math.max(0, (until ?? now) - from))}</span>
}
