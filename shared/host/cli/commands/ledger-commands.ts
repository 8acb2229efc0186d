import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import type { Command } from 'commander'
import type { Client } from '../../../contract/client.ts'
import { HoldfastError } from '../../../contract/errors.ts'
import { bodyOf } from '../../../contract/schemas/ledger-bodies.ts'
import { type LedgerEntry, type LedgerFilter, LedgerKind, type LedgerVerification } from '../../../contract/schemas/ledger.ts'
import { systemClock } from '../../../core/identifiers.ts'
import { beginAnew } from '../../../core/ledger/begin-anew.ts'
import { fromPem } from '../../../core/ledger/signing.ts'
import { verifyExport } from '../../../core/ledger/verify-export.ts'
import { resolvePaths } from '../../../core/paths.ts'
import { formatCount } from '../../../domain/format.ts'
import { createStory } from '../../../domain/ledger-story.ts'
import { csvHeading, csvLine, jsonLine } from '../../../domain/ledger-export.ts'
import { visibleText } from '../../../domain/visible-text.ts'
import { examples, outputOf } from '../program-output.ts'
import { withHost } from '../with-host.ts'
import { collectorUrl, sendToCollector } from '../send-ledger.ts'
import { parseSessionId } from './session-commands.ts'

const DAY_MS = 86_400_000
const UNIT_MS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: DAY_MS }

/** `2026-11-23`, an ISO 8601 time, or how long ago: `90m`, `12h`, `30d`. Throws HoldfastError `bad-params`. */
const parseTime = (text: string): number => {
  const ago = /^(\d{1,6})([mhd])$/.exec(text)
  const time = ago === null ? Date.parse(text) : Date.now() - Number(ago[1]) * (UNIT_MS[ago[2] ?? ''] ?? DAY_MS)
  if (Number.isNaN(time)) throw new HoldfastError('bad-params', `"${text}" is no time. Write 2026-11-23, 2026-11-23T09:00:00Z, or how long ago: 90m, 12h, 30d.`)
  return Math.max(0, time)
}

/** Every entry that passes, page by page: what is not written yet is not fetched yet. */
export async function* entriesOf(client: Client, filter: LedgerFilter, from = 0): AsyncGenerator<LedgerEntry> {
  for (let after: number | null = from; after !== null; ) {
    const page: { entries: LedgerEntry[]; next: number | null } = await client.call('ledger/read', { ...filter, after })
    yield* page.entries
    after = page.next
  }
}

const write = async (text: string): Promise<void> => {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain')
}

const signedText = ({ entries, signed }: LedgerVerification): string => {
  if (signed.through === 0) return `Chained but unsigned: ${signed.problem ?? 'no seal was made yet'}`
  const by = signed.publicKey === null ? ' (by the keys that the seals name themselves)' : ''
  const rest = signed.through === entries ? '' : `; the ${formatCount(entries - signed.through)} after that are chained alone`
  return `Signed: entries 1 to ${formatCount(signed.through)}, ${formatCount(signed.seals)} seal(s)${by}${rest}${signed.problem === null ? '' : `. Not signing now: ${signed.problem}`}`
}

const verifyLines = (verification: LedgerVerification): string[] => {
  const { ok, entries, headHash, faults } = verification
  if (ok) return [`Verified: ${formatCount(entries)} entries, head ${headHash}`, signedText(verification)]
  return [
    `NOT VERIFIED: ${formatCount(entries)} entries, ${formatCount(faults.length)} fault(s)`,
    ...faults.map(({ sequence, problem, message }) => `  at ${sequence}: ${problem}: ${message}`),
  ]
}

const readKey = async (file: string): Promise<string> => {
  try {
    return fromPem(await readFile(file, 'utf8'))
  } catch {
    throw new HoldfastError('bad-params', `${file} holds no Ed25519 public key. "holdfast ledger key" prints the one to use.`)
  }
}

interface FilterOptions {
  readonly session?: string
  readonly since?: string
  readonly until?: string
  readonly kind?: string
  readonly search?: string
}

const parseKind = (text: string): LedgerKind => {
  const kind = LedgerKind.safeParse(text)
  if (!kind.success) throw new HoldfastError('bad-params', `"${text}" is no kind of entry. There are: ${LedgerKind.options.join(', ')}.`)
  return kind.data
}

const filterOf = ({ session, since, until, kind, search }: FilterOptions): LedgerFilter => ({
  ...(session === undefined ? {} : { sessionId: parseSessionId(session) }),
  ...(since === undefined ? {} : { since: parseTime(since) }),
  ...(until === undefined ? {} : { until: parseTime(until) }),
  ...(kind === undefined ? {} : { kinds: kind.split(',').map(parseKind) }),
  ...(search === undefined ? {} : { text: search }),
})

/** The diff that an entry names, so that it stands below it; none where it is not kept any more. */
const diffLines = async (client: Client, entry: LedgerEntry): Promise<string[]> => {
  const sha256 = bodyOf(entry, 'file/changed')?.diff?.sha256
  if (sha256 === undefined || entry.sessionId === null) return []
  try {
    const { text } = await client.call('checkpoint/recorded-diff', { sessionId: entry.sessionId, sha256 })
    return text.trimEnd().split('\n').map((one) => `            ${visibleText(one)}`)
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'not-found') return ['            (its diff is not kept any more)']
    throw error
  }
}

/** `ledger show|verify|export|key|prune|begin-anew`. */
export const addLedgerCommands = (ledger: Command): void => {
  ledger
    .command('show')
    .summary('tell one session as a story')
    .requiredOption('--session <id>', 'which')
    .option('--diffs', 'with the text of what changed in files, where it is still kept')
    .addHelpText('after', examples('holdfast ledger show --session ses_222222222222', 'holdfast ledger show --session ses_222222222222 --diffs'))
    .action(async ({ session, diffs }: { session: string; diffs?: true }, self: Command) => {
      const sessionId = parseSessionId(session)
      const { json } = outputOf(self)
      const story = createStory()
      await withHost(async (client) => {
        let told = false
        for await (const entry of entriesOf(client, { sessionId })) {
          told = true
          const lines = json ? [jsonLine(entry)] : [...story(entry), ...(diffs === true ? await diffLines(client, entry) : [])]
          if (lines.length > 0) await write(`${lines.join('\n')}\n`)
        }
        if (!told) throw new HoldfastError('not-found', `The ledger has no entry of session ${session}. "holdfast sessions" lists those there are.`)
      })
    })

  ledger
    .command('verify')
    .summary('prove that no entry was changed, removed or put in')
    .option('--file <export>', 'a JSON lines export instead of this ledger; needs no host')
    .option('--key <pem>', 'with --file: the public key that must have signed it')
    .addHelpText('after', examples('holdfast ledger verify', 'holdfast ledger verify --file audit.jsonl --key holdfast.pub'))
    .action(async ({ file, key }: { file?: string; key?: string }, self: Command) => {
      if (file === undefined && key !== undefined) throw new HoldfastError('bad-params', '--key goes with --file: this ledger is checked with the key in the keychain.')
      const verification =
        file === undefined
          ? await withHost((client) => client.call('ledger/verify', {}))
          : await verifyExport(file, key === undefined ? null : await readKey(key))
      outputOf(self).result(verification, verifyLines(verification))
      if (!verification.ok) process.exitCode = 1
    })

  ledger
    .command('export')
    .summary('write entries to standard output')
    .option('--format <format>', 'jsonl, csv, otlp or syslog', 'jsonl')
    .option('--session <id>', 'of one session alone')
    .option('--since <time>', 'not before: 2026-11-23, or how long ago: 90m, 12h, 30d')
    .option('--until <time>', 'before')
    .option('--kind <kinds>', 'of these kinds, such as tool-call/intent,alarm/raised')
    .option('--search <words>', 'with these words, one after the other')
    .option('--to <url>', 'otlp, syslog: the collector, which gets what it has not got yet')
    .option('-f, --follow', 'otlp, syslog: go on with new entries as they come')
    .addHelpText('after', examples('holdfast ledger export > audit.jsonl', 'holdfast ledger export --format csv --since 30d > audit.csv', 'holdfast ledger export --format otlp --to http://127.0.0.1:4318 --follow', 'holdfast ledger export --format syslog --to tcp://127.0.0.1:601 --follow'))
    .action(async (options: FilterOptions & { format: string; to?: string; follow?: true }, self: Command) => {
      const { format } = options
      const filter = filterOf(options)
      if (format === 'otlp' || format === 'syslog') {
        if (Object.keys(filter).length > 0) throw new HoldfastError('bad-params', 'A collector gets every entry: filter there, not here.')
        return sendToCollector(format, collectorUrl(format, options.to), options.follow === true, outputOf(self))
      }
      if (format !== 'jsonl' && format !== 'csv') throw new HoldfastError('bad-params', `--format takes jsonl, csv, otlp or syslog, not "${format}".`)
      if (format === 'jsonl' && Object.keys(filter).length > 0) outputOf(self).note('a part of the ledger cannot be verified by itself; export the whole for that')
      await withHost(async (client) => {
        if (format === 'csv') await write(`${csvHeading()}\r\n`)
        else await client.call('ledger/seal', {})
        for await (const entry of entriesOf(client, filter)) await write(format === 'csv' ? `${csvLine(entry)}\r\n` : `${jsonLine(entry)}\n`)
      })
    })

  ledger
    .command('key')
    .summary('print the public key that signs the ledger, to verify exports elsewhere')
    .addHelpText('after', examples('holdfast ledger key > holdfast.pub'))
    .action(async (_options: unknown, self: Command) => {
      const { publicKey } = await withHost((client) => client.call('ledger/key', {}))
      outputOf(self).result({ publicKey }, publicKey.trimEnd().split('\n'))
    })

  ledger
    .command('prune')
    .summary('empty for good what agents said, asked for and got; decisions, and the proof, stay')
    .requiredOption('--before <time>', '2026-11-23, or how long ago: 90d')
    .addHelpText('after', examples('holdfast ledger prune --before 90d'))
    .action(async ({ before }: { before: string }, self: Command) => {
      const pruned = await withHost((client) => client.call('ledger/prune', { before: parseTime(before) }))
      outputOf(self).result(pruned, [`${formatCount(pruned.entries)} entries emptied, up to entry ${formatCount(pruned.through)}.`])
    })

  ledger
    .command('begin-anew')
    .summary('keep a ledger that is damaged or does not verify, and begin a new one that points to it')
    .addHelpText('after', examples('holdfast down && holdfast ledger begin-anew'))
    .action(async (_options: unknown, self: Command) => {
      const kept = await beginAnew({ file: resolvePaths(process.env).ledger, clock: systemClock })
      outputOf(self).result({ kept }, [`The ledger so far is kept as ${kept}. A new one has begun, and points to it.`])
    })
}
