import { useMemo, useState, type KeyboardEvent } from 'react'
import type { SessionId } from '../../../shared/contract/ids.ts'
import { inputFields } from '../../../shared/domain/describe.ts'
import { visibleText } from '../../../shared/domain/visible-text.ts'
import { ClassBadge, Badge } from '../../ui/badge.tsx'
import { Button } from '../../ui/button.tsx'
import { Facts } from '../../ui/facts.tsx'
import { Empty, Fault } from '../../ui/note.tsx'
import { ClockTime, ExactTime } from '../../ui/time.tsx'
import { VirtualList } from '../../ui/virtual-list.tsx'
import { TextField } from '../../ui/field.tsx'
import { Select, type Option } from '../../ui/select.tsx'
import { Disclosure } from '../../ui/disclosure.tsx'
import { foldRows } from './fold-rows.ts'
import { filterRows, type TimelineRow } from './timeline.ts'
import { useTimeline } from './use-timeline.ts'

type Only = Parameters<typeof filterRows>[2]

const ONLY: readonly Option<Only>[] = [
  { value: 'all', name: 'everything' },
  { value: 'read', name: 'read calls' },
  { value: 'write', name: 'write calls' },
  { value: 'destructive', name: 'destructive calls' },
  { value: 'denied', name: 'denied calls' },
  { value: 'said', name: 'what it said' },
  { value: 'change', name: 'what it changed' },
]

const Line = ({ row, inside, isOpen }: { row: TimelineRow; inside: number; isOpen: boolean }) => (
  <>
    {inside > 0 && <span className="muted" aria-hidden="true">{isOpen ? '▾' : '▸'}</span>}
    <ClockTime at={row.at} />
    <span className="kind">{row.class === null ? <Badge look={row.kind === 'alarm' ? 'danger' : 'quiet'}>{row.kind}</Badge> : <ClassBadge of={row.class} />}</span>
    <span className="what clip">
      <strong>{row.title}</strong> <span className="mono">{row.what}</span>
    </span>
    <span className="aside">{[inside > 0 && !isOpen ? `${inside} inside` : '', row.state, row.aside].filter((part) => part !== '').join(' · ')}</span>
  </>
)

/** What stands at the end of a row, by its kind; of a call, how long it took. */
const ASIDE: Partial<Record<TimelineRow['kind'], string>> = { model: 'cost', said: 'and', change: 'lines' }

const Detail = ({ row }: { row: TimelineRow }) => (
  <div className="detail" role="region" aria-label="The chosen entry" tabIndex={0}>
    <h2>{row.title}</h2>
    <Facts
      of={[
        ['at', <ExactTime key="at" at={row.at} />],
        ...(row.class === null ? [] : [['class', <ClassBadge key="class" of={row.class} />] as const]),
        ...(row.state === '' ? [] : [['state', row.state] as const]),
        ...(row.aside === '' ? [] : [[ASIDE[row.kind] ?? 'took', row.aside] as const]),
        ...(row.reasons.length === 0 ? [] : [['why', row.reasons.join('; ')] as const]),
      ]}
    />
    {row.input !== undefined &&
      inputFields(row.input).map(({ name, text }) => (
        <section key={name}>
          <h3>{name === '' ? 'input' : name}</h3>
          <pre className="block">{text}</pre>
        </section>
      ))}
    <Disclosure summary={`In the audit log (${row.entries.map(({ sequence }) => `#${sequence}`).join(', ')})`}>
      {row.entries.map((entry) => (
        <pre className="block" key={entry.sequence}>
          {entry.kind}
          {'\n'}
          {visibleText(JSON.stringify(entry.body, null, 2))}
        </pre>
      ))}
    </Disclosure>
  </div>
)

/** What a session did, from its beginning to now. */
export const TimelineView = ({ sessionId }: { sessionId: SessionId }) => {
  const { timeline, version, loaded, fault } = useTimeline(sessionId)
  const [words, setWords] = useState('')
  const [only, setOnly] = useState<Only>('all')
  const [chosen, setChosen] = useState<string | null>(null)
  const rows = useMemo(() => filterRows(timeline.rows, words, only), [timeline, version, words, only])
  const [opened, setOpened] = useState<ReadonlySet<string> | null>(null)
  const turns = useMemo(() => (opened === null || words !== '' || only !== 'all' ? null : foldRows(rows, opened)), [rows, version, opened, words, only])
  const count = turns?.length ?? rows.length
  const rowAt = (index: number): TimelineRow | undefined => (turns === null ? rows[index] : turns[index]?.row)
  const place = chosen === null ? -1 : turns === null ? rows.findIndex(({ key }) => key === chosen) : turns.findIndex((one) => one.row.key === chosen)
  const row = rowAt(place)
  const open = (key: string, isOpen: boolean): void => setOpened((before) => new Set(isOpen ? [...(before ?? []), key] : [...(before ?? [])].filter((one) => one !== key)))
  const onKey = (event: KeyboardEvent): void => {
    if (turns === null || row?.kind !== 'model' || (event.key !== 'ArrowRight' && event.key !== 'ArrowLeft')) return
    event.preventDefault()
    open(row.key, event.key === 'ArrowRight')
  }
  return (
    <>
      <div className="bar">
        <TextField bare label="Search the timeline" type="search" placeholder="Search" style={{ maxWidth: 280 }} value={words} onChange={setWords} />
        <Select bare label="Which entries" value={only} of={ONLY} onChange={setOnly} />
        <Button aria-pressed={opened !== null} title="One row a model request; → and ← unfold and fold the chosen one" onClick={() => setOpened(opened === null ? new Set() : null)}>
          Fold turns
        </Button>
        <span className="muted number" role="status">
          {loaded ? `${rows.length.toLocaleString('en')} of ${timeline.rows.length.toLocaleString('en')}` : 'loading…'}
        </span>
      </div>
      <Fault text={fault} />
      <div className={`panel${row === undefined ? '' : ' split'}`} style={{ display: row === undefined ? 'flex' : undefined, flex: 1, minHeight: 0, overflow: 'hidden' }}>
        <div className="list-side" style={{ display: 'flex', flex: 1, minWidth: 0 }} onKeyDown={onKey}>
          {rows.length === 0 && loaded ? (
            <Empty title={timeline.rows.length === 0 ? 'Nothing yet' : 'Nothing fits the search'}>
              <p>{timeline.rows.length === 0 ? 'What the agent does appears here as it happens.' : 'Take a word out, or show everything.'}</p>
            </Empty>
          ) : (
            <VirtualList
              label="Timeline"
              count={count}
              selected={place === -1 ? null : place}
              onSelect={(index) => setChosen(rowAt(index)?.key ?? null)}
              onDoubleClick={(index) => {
                const one = turns?.[index]?.row
                if (one?.kind === 'model') open(one.key, !opened?.has(one.key))
              }}
              row={(index) => {
                const one = rowAt(index)
                return one === undefined ? null : <Line row={one} inside={turns?.[index]?.inside ?? 0} isOpen={opened?.has(one.key) === true} />
              }}
            />
          )}
        </div>
        {row !== undefined && <Detail row={row} />}
      </div>
    </>
  )
}
