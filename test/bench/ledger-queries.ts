import { statSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { join } from 'node:path'
import { openLedger } from '../../shared/core/ledger/ledger.ts'
import { openSearchIndex, type Searched, type SearchIndex } from '../../shared/core/ledger/search-index.ts'
import { fillLedger, sessionOf, SESSIONS } from './ledger-fill.ts'
import { percentile95, timed, whole } from './numbers.ts'

/**
 * What a dashboard asks of a large ledger, and what that costs on disk. In steps of a few minutes, which share a folder;
 * `index` goes on where it was stopped. 10000000 entries need about 10 GB.
 *
 *   node test/bench/ledger-queries.ts fill FOLDER [entries]        default: 1000000
 *   node test/bench/ledger-queries.ts index FOLDER
 *   node test/bench/ledger-queries.ts ask FOLDER
 *   node test/bench/ledger-queries.ts verify FOLDER
 */
const QUERIES = 200
const [step = '', folder = '.', wanted = '1000000'] = process.argv.slice(2)
const file = join(folder, 'ledger.db')
const searchFile = join(folder, 'search.db')
const clock = { now: Date.now }

const open = () => {
  let search: SearchIndex | null = null
  const ledger = openLedger({ file, clock, openSearch: (searched: Searched): SearchIndex => (search = openSearchIndex(searchFile, searched)) })
  return { ledger, search: search as unknown as SearchIndex, entries: ledger.tail(1).entries.at(-1)?.sequence ?? 0 }
}

const load = { what: `load average while it ran, on ${cpus().length} cores`, value: (loadavg()[0] ?? 0).toFixed(1), target: '' }

const steps: Record<string, () => Promise<object[]> | object[]> = {
  fill: () => {
    const rate = Number(wanted) * timed(1, () => fillLedger(file, Number(wanted)))
    return [{ what: 'entries filled in / s, in large transactions', value: whole(rate), target: '' }]
  },
  index: () => {
    const { ledger, search } = open()
    const before = search.reached()
    const each = timed(1, () => {
      while (search.step());
    })
    const taken = search.reached() - before
    ledger.close()
    return [{ what: `search index, entries taken up / s, of ${whole(taken)}`, value: whole(taken * each), target: '' }]
  },
  verify: async () => {
    const { ledger, entries } = open()
    const start = performance.now()
    const verification = await ledger.verify()
    const rate = verification.entries / ((performance.now() - start) / 1_000)
    ledger.close()
    if (!verification.ok || verification.entries !== entries) throw new Error('the filled ledger does not verify')
    return [{ what: `verify, entries / s, of ${whole(entries)}`, value: whole(rate), target: '>= 200,000' }]
  },
  ask: () => {
    const { ledger, search, entries } = open()
    if (search.reached() !== entries) throw new Error(`${whole(entries - search.reached())} entries are not in the search index: run "index" first`)
    /** The newest, a session's newest, a page from the middle, a search through the newest. */
    const queries: Record<string, (n: number) => unknown> = {
      'newest 100': () => ledger.tail(100),
      'newest 100 of a session': (n) => ledger.tail(100, { sessionId: sessionOf((n * 7) % Math.min(SESSIONS, Math.ceil(entries / 500))) }),
      '100 from the middle': (n) => ledger.read({ after: (n * 7_919_113) % entries, limit: 100 }),
      'newest 100 of rare kinds': () => ledger.tail(100, { kinds: ['alarm/raised', 'session/killed'] }),
      'search for what all have': () => ledger.tail(100, { text: 'unit tests' }),
      'search for what none has': () => ledger.tail(100, { text: 'no entry has this' }),
      'search for common words never together': () => ledger.tail(100, { text: 'tests unit' }),
    }
    const rows = Object.entries(queries).map(([what, ask]) => {
      const times = Array.from({ length: QUERIES }, (_, n) => 1_000 / timed(1, () => ask(n)))
      return { what: `${what}, p95 ms`, value: percentile95(times).toFixed(1), target: '<= 50' }
    })
    ledger.close()
    return [
      { what: 'entries', value: whole(entries), target: '' },
      ...rows,
      { what: 'database KB / 1,000 calls (intent and outcome)', value: whole((statSync(file).size / entries) * 2), target: '' },
      { what: 'search index KB / 1,000 calls', value: whole((statSync(searchFile).size / entries) * 2), target: '' },
    ]
  },
}

const run = steps[step]
if (run === undefined) throw new Error(`fill, index, ask or verify, not "${step}"`)
console.table([...(await run()), load])
