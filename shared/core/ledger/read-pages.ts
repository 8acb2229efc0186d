import { HoldfastError } from '../../contract/errors.ts'
import { LedgerEntry, type LedgerFilter } from '../../contract/schemas/ledger.ts'
import type { ChainRow } from '../../domain/ledger-chain.ts'
import { filterOf } from '../../domain/ledger-filter.ts'
import { matcherOf } from '../../domain/ledger-search.ts'
import type { Ledger, LedgerPage } from '../ports.ts'
import { type Database, inDatabaseWords } from '../storage/database.ts'
import { HIGHEST, selectRows, selectSessionRows } from './rows.ts'
import { SHARD, type SearchIndex } from './search-index.ts'

/** What one page looks at and gives at most, so that it neither holds up the host nor overflows a frame. */
const MAX_SCANNED = 4_000
const MAX_PAGE_CHARACTERS = 2_000_000
/** A search looks at one shard of the index after another until this time is over. */
const SEARCH_MS = 20

type Order = 'ASC' | 'DESC'

export interface PageReaderDeps {
  readonly database: Database
  readonly file: string
  /** The newest entry's sequence. */
  readonly last: () => number
  /** null: a search looks through the entries themselves. */
  readonly search: SearchIndex | null
}

export interface PageReader extends Pick<Ledger, 'read' | 'tail'> {
  /** The last sequence before a time, as a clock that runs forward wrote them. */
  lastBefore(time: number): number
}

export const createPageReader = ({ database, file, last, search }: PageReaderDeps): PageReader => {
  const one = selectRows<[number]>(database, 'WHERE sequence = ?')
  const plain = {
    ASC: selectRows<[number, number]>(database, 'WHERE sequence > ? AND sequence < ? ORDER BY sequence'),
    DESC: selectRows<[number, number]>(database, 'WHERE sequence > ? AND sequence < ? ORDER BY sequence DESC'),
  }
  const ofSession = {
    ASC: selectSessionRows(database, 'ASC'),
    DESC: selectSessionRows(database, 'DESC'),
  }

  const toEntry = ({ body, ...row }: ChainRow): LedgerEntry => {
    const pruned = body === ''
    try {
      const entry = { ...row, body: pruned ? {} : (JSON.parse(body) as unknown), pruned }
      LedgerEntry.parse(entry)
      return entry as LedgerEntry
    } catch (cause) {
      throw new HoldfastError(
        'ledger-unavailable',
        `Entry ${row.sequence} of ${file} cannot be read. Run "holdfast ledger verify" to see what happened to it.`,
        { cause },
      )
    }
  }

  /** Rows between two sequences, neither of them included; those of one session alone where it is named. */
  const rows = (after: number, before: number, order: Order, sessionId: string | undefined): IterableIterator<ChainRow> =>
    sessionId === undefined ? plain[order].iterate(after, before) : ofSession[order](after, before, sessionId)

  /** Those with the words of a search: what the index has reached by what it says, the rest one by one. */
  function* searched(after: number, before: number, order: Order, sessionId: string | undefined, text: string): Generator<ChainRow> {
    const reached = search?.reached() ?? 0
    if (order === 'DESC') yield* rows(Math.max(after, reached), before, order, sessionId)
    for (const sequence of search?.find(text, after, Math.min(before, reached + 1), order) ?? []) {
      const row = one.get(sequence)
      if (row !== undefined) yield row
    }
    if (order === 'ASC') yield* rows(Math.max(after, reached), before, order, sessionId)
  }

  const passesOf = (filter: LedgerFilter): ((row: ChainRow) => boolean) => {
    const passes = filterOf(filter)
    if (filter.text === undefined) return passes
    const reached = search?.reached() ?? 0
    const matches = matcherOf(filter.text)
    return (row) => passes(row) && (row.sequence <= reached || matches(row.body))
  }

  /** The rows that pass, and whether the walk ended at the last one there is; else `at` is the last one looked at. */
  const collect = (found: Iterable<ChainRow>, limit: number, filter: LedgerFilter): { entries: LedgerEntry[]; at: number; isEnd: boolean } =>
    inDatabaseWords(file, () => {
      const passes = passesOf(filter)
      const entries: LedgerEntry[] = []
      let scanned = 0
      let characters = 0
      for (const row of found) {
        scanned += 1
        if (passes(row)) {
          entries.push(toEntry(row))
          characters += row.body.length
        }
        if (entries.length >= limit || scanned >= MAX_SCANNED || characters >= MAX_PAGE_CHARACTERS) return { entries, at: row.sequence, isEnd: false }
      }
      return { entries, at: 0, isEnd: true }
    })

  const lastBefore = (time: number): number =>
    inDatabaseWords(file, () => {
      let low = 0
      let high = last()
      while (low < high) {
        const middle = Math.ceil((low + high) / 2)
        if ((one.get(middle)?.at ?? time) < time) low = middle
        else high = middle - 1
      }
      return low
    })

  /** Part by part, so that words which are common but never together do not hold up the host. */
  const searchPage = (after: number, before: number, order: Order, limit: number, filter: LedgerFilter & { text: string }) => {
    const deadline = performance.now() + SEARCH_MS
    const entries: LedgerEntry[] = []
    let [low, high] = [after, Math.min(before, last() + 1)]
    for (;;) {
      const [from, to] = order === 'ASC' ? [low, Math.min(high, (Math.floor(low / SHARD) + 1) * SHARD + 1)] : [Math.max(low, Math.floor((high - 2) / SHARD) * SHARD), high]
      const part = collect(searched(from, to, order, filter.sessionId, filter.text), limit - entries.length, filter)
      entries.push(...part.entries)
      if (!part.isEnd) return { entries, at: part.at, isEnd: false }
      if (order === 'ASC') low = to - 1
      else high = from + 1
      if (high - low <= 1) return { entries, at: 0, isEnd: true }
      if (performance.now() > deadline) return { entries, at: order === 'ASC' ? low : high, isEnd: false }
    }
  }

  const page = (after: number, before: number, order: Order, limit: number, filter: LedgerFilter): LedgerPage => {
    const { sessionId, text, since, until } = filter
    const from = since === undefined ? after : Math.max(after, lastBefore(since))
    const to = until === undefined ? before : Math.min(before, lastBefore(until) + 1)
    const { entries, at, isEnd } = text === undefined ? collect(rows(from, to, order, sessionId), limit, filter) : searchPage(from, to, order, limit, { ...filter, text })
    return { entries: order === 'ASC' ? entries : entries.reverse(), next: isEnd ? null : at }
  }

  return {
    read: ({ after, limit, ...filter }) => page(after, HIGHEST, 'ASC', limit, filter),
    tail: (limit, { before = HIGHEST, ...filter } = {}) => page(0, before, 'DESC', limit, filter),
    lastBefore,
  }
}
