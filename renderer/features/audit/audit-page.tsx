import { useState } from 'react'
import { SessionId } from '../../../shared/contract/ids.ts'
import { LedgerKind, type LedgerEntry, type LedgerVerification } from '../../../shared/contract/schemas/ledger.ts'
import { formatCount } from '../../../shared/domain/format.ts'
import { visibleText } from '../../../shared/domain/visible-text.ts'
import { useAction, useHost } from '../../connection/hooks.ts'
import { Button } from '../../ui/button.tsx'
import { Facts } from '../../ui/facts.tsx'
import { Empty, Fault, Note } from '../../ui/note.tsx'
import { Page } from '../../ui/page.tsx'
import { ClockTime, ExactTime } from '../../ui/time.tsx'
import { VirtualList } from '../../ui/virtual-list.tsx'
import { TextField } from '../../ui/field.tsx'
import { Select } from '../../ui/select.tsx'
import { entryText } from '../sessions/timeline.ts'
import { exportLog, type ExportFormat } from './export-log.ts'
import { useSearch, type Filter } from './use-search.ts'

const textOf = (entry: LedgerEntry): string => (entry.pruned ? 'its content was pruned' : entryText(entry) || visibleText(JSON.stringify(entry.body)))

const DAY_MS = 24 * 3_600_000
const SPANS: Readonly<Record<string, number>> = { 'the last hour': 3_600_000, 'the last day': DAY_MS, 'the last 7 days': 7 * DAY_MS, 'the last 30 days': 30 * DAY_MS }

const Proof = ({ proof: { ok, entries, headHash, faults, signed } }: { proof: LedgerVerification }) => (
  <Note fault={!ok}>
    <p>
      <strong>{ok ? `Verified: all ${formatCount(entries)} entries are as they were written.` : `Not as it was written: ${faults.length} ${faults.length === 1 ? 'fault' : 'faults'}.`}</strong>
    </p>
    {faults.slice(0, 20).map(({ sequence, message }) => (
      <p key={`${sequence} ${message}`}>{visibleText(message)}</p>
    ))}
    <p className="muted">
      {signed.problem === null ? `Signed up to entry ${formatCount(signed.through)}, by ${signed.seals === 1 ? 'one seal' : `${formatCount(signed.seals)} seals`}.` : `Not signed: ${visibleText(signed.problem)}`} Newest hash <code>{headHash.slice(0, 16)}…</code>
    </p>
  </Note>
)

const Entry = ({ entry }: { entry: LedgerEntry }) => (
  <div className="detail" role="region" aria-label="The chosen entry" tabIndex={0}>
    <h2>
      #{entry.sequence} {entry.kind}
    </h2>
    <Facts
      of={[
        ['at', <ExactTime key="at" at={entry.at} />],
        ['session', entry.sessionId === null ? 'none' : <a key="session" href={`#/sessions/${entry.sessionId}`}>{entry.sessionId}</a>],
        ['hash', <code key="hash">{entry.hash}</code>],
        ['before it', <code key="before">{entry.previousHash}</code>],
      ]}
    />
    <pre className="block">{entry.pruned ? 'Its content was pruned; its hash still proves what it was.' : visibleText(JSON.stringify(entry.body, null, 2))}</pre>
  </div>
)

/** The audit log: searched by the host as a whole, followed live, exported and verified. */
export const AuditPage = () => {
  const host = useHost()
  const action = useAction()
  const [words, setWords] = useState('')
  const [kind, setKind] = useState<LedgerKind | ''>('')
  const [session, setSession] = useState('')
  const [span, setSpan] = useState('')
  const [since, setSince] = useState<number | null>(null)
  const [format, setFormat] = useState<ExportFormat>('jsonl')
  const [chosen, setChosen] = useState<number | null>(null)
  const [proof, setProof] = useState<LedgerVerification | null>(null)
  const [read, setRead] = useState<number | null>(null)

  const sessionId = SessionId.safeParse(session.trim()).data
  const filter: Filter = {
    ...(words.trim() === '' ? {} : { text: words.trim() }),
    ...(kind === '' ? {} : { kinds: [kind] }),
    ...(sessionId === undefined ? {} : { sessionId }),
    ...(since === null ? {} : { since }),
  }
  const { entries, loading, fault, older } = useSearch(filter)
  const place = chosen === null ? -1 : entries.findIndex(({ sequence }) => sequence === chosen)
  const entry = entries[place]

  return (
    <Page
      fill
      title="Audit log"
      actions={
        <>
          <Select
            bare
            label="Export as"
            value={format}
            of={[
              { value: 'jsonl', name: 'JSON lines' },
              { value: 'csv', name: 'CSV' },
            ]}
            onChange={setFormat}
          />
          <Button disabled={action.busy !== null} onClick={() => action.run('Exporting…', () => exportLog(host, filter, format, setRead).finally(() => setRead(null)))}>
            {action.busy === 'Exporting…' ? `Exporting… ${formatCount(read ?? 0)}` : 'Export what fits'}
          </Button>
          <Button kind="primary" disabled={action.busy !== null} onClick={() => action.run('Verifying…', async () => setProof(await host.call('ledger/verify', {})))}>
            {action.busy === 'Verifying…' ? 'Verifying…' : 'Verify'}
          </Button>
        </>
      }
    >
      <Fault text={fault ?? action.fault} />
      {proof !== null && <Proof proof={proof} />}
      <div className="bar" role="search">
        <TextField bare label="Search the audit log" type="search" placeholder="Search words" style={{ flex: '1 1 180px', maxWidth: 280 }} value={words} onChange={setWords} />
        <Select bare label="Which kind" value={kind} of={[{ value: '', name: 'every kind' }, ...LedgerKind.options.toSorted()]} onChange={setKind} />
        <Select
          bare
          label="How far back"
          value={span}
          of={[{ value: '', name: 'from the beginning' }, ...Object.keys(SPANS)]}
          onChange={(next) => {
            setSpan(next)
            const back = SPANS[next]
            setSince(back === undefined ? null : Date.now() - back)
          }}
        />
        <TextField bare mono label="Of which session" placeholder="ses_…" style={{ width: 160 }} value={session} aria-invalid={session.trim() !== '' && sessionId === undefined} onChange={setSession} />
        <span className="muted number" role="status">
          {loading ? 'looking…' : `${formatCount(entries.length)}${older === null ? '' : ' newest'}`}
        </span>
        {older !== null && <Button onClick={older}>Further back</Button>}
      </div>
      <div className={`panel${entry === undefined ? '' : ' split'}`} style={{ display: entry === undefined ? 'flex' : undefined, flex: 1, minHeight: 0, overflow: 'hidden' }}>
        <div className="list-side" style={{ display: 'flex', flex: 1, minWidth: 0 }}>
          {entries.length === 0 && !loading ? (
            <Empty title="Nothing fits">
              <p>Take a word out, or look further back.</p>
            </Empty>
          ) : (
            <VirtualList
              label="Audit log"
              count={entries.length}
              selected={place === -1 ? null : place}
              onSelect={(index) => setChosen(entries[index]?.sequence ?? null)}
              row={(index) => {
                const one = entries[index]
                if (one === undefined) return null
                return (
                  <>
                    <ClockTime at={one.at} />
                    <span className="aside number">#{one.sequence}</span>
                    <strong className="clip" style={{ flex: 'none', width: 184 }}>{one.kind}</strong>
                    <span className="what clip muted">{textOf(one).slice(0, 400)}</span>
                  </>
                )
              }}
            />
          )}
        </div>
        {entry !== undefined && <Entry entry={entry} />}
      </div>
    </Page>
  )
}
