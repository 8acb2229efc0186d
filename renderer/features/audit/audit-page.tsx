import { useMemo, useState } from 'react'
import type { LedgerEntry } from '../../../shared/contract/schemas/ledger.ts'
import { visibleText } from '../../../shared/domain/visible-text.ts'
import { useAction, useHost } from '../../connection/hooks.ts'
import { useLedger } from '../../connection/use-ledger.ts'
import { Button, ClockTime, Empty, Facts, Fault, Note, Page } from '../../ui/basics.tsx'
import { VirtualList } from '../../ui/virtual-list.tsx'

const textOf = (entry: LedgerEntry): string => visibleText(JSON.stringify(entry.body))

const exportLines = (entries: readonly LedgerEntry[]): void => {
  const url = URL.createObjectURL(new Blob(entries.map((entry) => `${JSON.stringify(entry)}\n`), { type: 'application/x-ndjson' }))
  const link = document.createElement('a')
  link.href = url
  link.download = 'holdfast-audit-log.jsonl'
  link.click()
  URL.revokeObjectURL(url)
}

export const AuditPage = () => {
  const host = useHost()
  const { entries, fault } = useLedger(100)
  const [words, setWords] = useState('')
  const [kind, setKind] = useState('all')
  const [chosen, setChosen] = useState<number | null>(null)
  const [proof, setProof] = useState<{ ok: boolean; text: string } | null>(null)
  const action = useAction()
  const kinds = useMemo(() => [...new Set(entries.map((entry) => entry.kind))].toSorted(), [entries])
  const shown = useMemo(() => {
    const wanted = words.toLowerCase()
    if (wanted === '' && kind === 'all') return entries
    return entries.filter((entry) => (kind === 'all' || entry.kind === kind) && (wanted === '' || `${entry.kind} ${entry.sessionId ?? ''} ${textOf(entry)}`.toLowerCase().includes(wanted)))
  }, [entries, words, kind])
  const place = chosen === null ? -1 : shown.findIndex(({ sequence }) => sequence === chosen)
  const entry = shown[place]

  const verify = (): void =>
    action.run('Verifying…', async () => {
      setProof(null)
      const { ok, entries: count, headHash, faults } = await host.call('ledger/verify', {})
      setProof({
        ok,
        text: ok ? `Verified: all ${count.toLocaleString('en')} entries are as they were written. Newest hash ${headHash.slice(0, 16)}…` : `Not as it was written: ${faults.map(({ message }) => message).join(' ')}`,
      })
    })

  return (
    <Page
      fill
      title="Audit log"
      actions={
        <>
          <Button disabled={shown.length === 0} onClick={() => exportLines(shown)}>
            Export what is shown
          </Button>
          <Button kind="primary" disabled={action.busy !== null} onClick={verify}>
            {action.busy ?? 'Verify'}
          </Button>
        </>
      }
    >
      <Fault text={fault ?? action.fault} />
      {proof !== null && <Note fault={!proof.ok}>{visibleText(proof.text)}</Note>}
      <div className="bar">
        <input className="input" style={{ maxWidth: 280 }} type="search" placeholder="Search" aria-label="Search the audit log" value={words} onChange={(event) => setWords(event.target.value)} />
        <select className="input" aria-label="Which kind" value={kind} onChange={(event) => setKind(event.target.value)}>
          <option value="all">every kind</option>
          {kinds.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
        <span className="muted number" role="status">
          {shown.length.toLocaleString('en')} of the newest {entries.length.toLocaleString('en')}
        </span>
      </div>
      <div className={`panel${entry === undefined ? '' : ' split'}`} style={{ display: entry === undefined ? 'flex' : undefined, flex: 1, minHeight: 0, overflow: 'hidden' }}>
        <div className="list-side" style={{ display: 'flex', flex: 1, minWidth: 0 }}>
          {shown.length === 0 ? (
            <Empty title="Nothing fits" />
          ) : (
            <VirtualList
              label="Audit log"
              count={shown.length}
              selected={place === -1 ? null : place}
              onSelect={(index) => setChosen(shown[index]?.sequence ?? null)}
              row={(index) => {
                const one = shown[index]
                if (one === undefined) return null
                return (
                  <>
                    <ClockTime at={one.at} />
                    <span className="aside number">#{one.sequence}</span>
                    <strong style={{ flex: 'none' }}>{one.kind}</strong>
                    <span className="what clip mono muted">{textOf(one).slice(0, 400)}</span>
                  </>
                )
              }}
            />
          )}
        </div>
        {entry !== undefined && (
          <div className="detail" role="region" aria-label="The chosen entry" tabIndex={0}>
            <h2>
              #{entry.sequence} {entry.kind}
            </h2>
            <Facts
              of={[
                ['at', new Date(entry.at).toLocaleString()],
                ['session', entry.sessionId === null ? 'none' : <a key="session" href={`#/sessions/${entry.sessionId}`}>{entry.sessionId}</a>],
                ['hash', <code key="hash">{entry.hash}</code>],
                ['before it', <code key="before">{entry.previousHash}</code>],
              ]}
            />
            <pre className="block">{visibleText(JSON.stringify(entry.body, null, 2))}</pre>
          </div>
        )}
      </div>
    </Page>
  )
}
