import { watch } from 'node:fs'
import { basename, dirname } from 'node:path'
import type { LedgerExport } from '../../contract/schemas/ledger-settings.ts'
import type { Clock, Ledger } from '../ports.ts'
import { readIfThere } from '../whole-file.ts'
import { parseLedgerSettings } from './ledger-settings.ts'
import { destinationsOf, type Receiver, type ReceiverDeps, startReceiver } from './receiver.ts'
import { pruneOlderThan } from './retention.ts'

/** An editor writes a file in several steps. */
const SETTLE_MS = 200
const DAY_MS = 24 * 3_600_000

export interface LedgerDutiesDeps extends Omit<ReceiverDeps, 'destination' | 'ledger'> {
  /** `ledger.yaml` of the user's own configuration; its folder exists. */
  readonly settingsFile: string
  readonly ledger: Pick<Ledger, 'read' | 'tail' | 'append' | 'prune'>
  readonly clock: Clock
  /** The file is another than when this began. */
  readonly onChanged?: () => void
}

/** What the user's settings have the host do with the ledger while it runs: send it on, and empty what is old. Nothing without them. */
export interface LedgerDuties {
  /** There are new entries. */
  saw(): void
  exports(): LedgerExport[]
  close(): Promise<void>
}

export const createLedgerDuties = ({ settingsFile, clock, onChanged, ...deps }: LedgerDutiesDeps): LedgerDuties => {
  const { ledger, log } = deps
  let applied: string | null | undefined
  let receivers: Receiver[] = []
  let problem: string | null = null
  let keepDays: number | null = null
  let isClosed = false

  const prune = async (): Promise<void> => {
    if (keepDays !== null) await pruneOlderThan(ledger, clock, keepDays)
  }
  const apply = async (): Promise<void> => {
    const text = readIfThere(settingsFile)
    if (text === applied || isClosed) return
    if (applied !== undefined) onChanged?.()
    applied = text
    const before = receivers
    ;[receivers, keepDays, problem] = [[], null, null]
    await Promise.all(before.map(({ close }) => close()))
    try {
      const settings = parseLedgerSettings(settingsFile, text ?? '')
      receivers = destinationsOf(settings).map((destination) => startReceiver({ ...deps, destination }))
      keepDays = settings.keepContentDays ?? null
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error)
      log(problem)
    }
    await prune()
  }
  let turn = Promise.resolve()
  const inTurn = (work: () => Promise<void>): void => {
    turn = turn.then(work).catch((error: unknown) => log(`what ${settingsFile} asks for could not be done: ${String(error)}`))
  }
  inTurn(apply)

  const daily = setInterval(() => inTurn(prune), DAY_MS).unref()
  let timer: NodeJS.Timeout | undefined
  const watcher = watch(dirname(settingsFile), (_, name) => {
    if (name !== null && name !== basename(settingsFile)) return
    clearTimeout(timer)
    timer = setTimeout(() => inTurn(apply), SETTLE_MS).unref()
  })
  watcher.on('error', (error) => log(`${settingsFile} is not watched any more: ${error.message}`))
  watcher.unref()

  return {
    saw: () => receivers.forEach(({ saw }) => saw()),
    exports: () => (problem === null ? receivers.map(({ state }) => state()) : [{ format: 'otlp', to: settingsFile, sent: 0, waiting: 0, problem }]),
    close: async () => {
      clearTimeout(timer)
      clearInterval(daily)
      watcher.close()
      isClosed = true
      await turn
      await Promise.all(receivers.map(({ close }) => close()))
    },
  }
}
