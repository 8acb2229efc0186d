import { createHash } from 'node:crypto'
import { watch } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { stringify } from 'yaml'
import { z } from 'zod'
import { canonicalJson } from '../../domain/ledger-chain.ts'
import { parseProfileText, type ProfileOrigin } from '../../domain/profile-text.ts'
import type { Ledger } from '../ports.ts'
import { parseLedgerSettings } from '../ledger/ledger-settings.ts'
import { readIfThere, writeWhole } from '../whole-file.ts'
import { recordedServers } from './agent-profile.ts'
import { ORGANISATION_FILE } from './load-profile.ts'
import { readProfileText } from './read-profile-file.ts'

/** Profiles looked at, and files remembered; those seen last stay. */
const MAX_PROFILES = 500
const MAX_KNOWN = 2_000
/** An editor writes a file in several steps. */
const SETTLE_MS = 200

const State = z.object({ files: z.record(z.string(), z.string()) })

/** Tells the ledger when a file that profiles, policies or servers come from is another than it was last seen. */
export interface ConfigurationRecord {
  /** Looks at the user's profiles, at what the ledger is to do and at what the organisation lays down, and at the file of this project; what was another while no host ran shows too. Never rejects. */
  look(project?: string): Promise<void>
  close(): void
}

export interface ConfigurationRecordDeps {
  readonly ledger: Pick<Ledger, 'append'>
  /** The user's profiles. */
  readonly profiles: string
  /** The user's ledger.yaml. */
  readonly ledgerSettings: string
  /** Where the organisation's file is, if not where every host looks. */
  readonly organisationFile?: string
  /** Where it is kept what was last seen. */
  readonly stateFile: string
  /** Tells the host's own log. */
  readonly log: (line: string) => void
}

interface Seen {
  readonly sha256: string
  readonly text: string | null
  /** Another file that it names for its servers. */
  readonly servers: string | null
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

/** People put keys into the variables of servers: those go, and of what cannot be read as a profile everything. */
const seenProfile = (file: string, origin: ProfileOrigin, text: string): Seen => {
  const hash = sha256(text)
  try {
    const { profile } = parseProfileText(file, origin, text)
    const { servers } = profile
    if (servers === undefined) return { sha256: hash, text, servers: null }
    if (typeof servers === 'string') return { sha256: hash, text, servers: origin === 'project' ? null : resolve(dirname(file), servers) }
    return { sha256: hash, text: stringify({ ...profile, servers: recordedServers(servers) }), servers: null }
  } catch {
    return { sha256: hash, text: null, servers: null }
  }
}

const seenServers = (text: string): Seen => {
  const hash = sha256(text)
  try {
    const { mcpServers } = z.object({ mcpServers: z.record(z.string(), z.unknown()) }).parse(JSON.parse(text))
    return { sha256: hash, text: canonicalJson({ mcpServers: recordedServers(mcpServers) }), servers: null }
  } catch {
    return { sha256: hash, text: null, servers: null }
  }
}

/** Where the ledger is sent, and with which headers: of their values none. */
const seenExport = (file: string, text: string): Seen => {
  const hash = sha256(text)
  try {
    const { otlp, ...rest } = parseLedgerSettings(file, text)
    const shown = otlp === undefined ? rest : { otlp: { ...otlp, headers: Object.keys(otlp.headers) }, ...rest }
    return { sha256: hash, text: canonicalJson(shown), servers: null }
  } catch {
    return { sha256: hash, text: null, servers: null }
  }
}

export const createConfigurationRecord = ({ ledger, profiles, ledgerSettings, organisationFile = ORGANISATION_FILE, stateFile, log }: ConfigurationRecordDeps): ConfigurationRecord => {
  let known: Map<string, string> | null = null
  const load = (): Map<string, string> => {
    const text = readIfThere(stateFile)
    const parsed = text === null ? null : State.safeParse(JSON.parse(text))
    return new Map(Object.entries(parsed?.data?.files ?? {}))
  }

  const tell = (file: string, seen: Seen | null): void => {
    known ??= load()
    const previous = known.get(file) ?? null
    if ((seen?.sha256 ?? null) === previous) return
    ledger.append('configuration/changed', null, { file, sha256: seen?.sha256 ?? null, previous, text: seen?.text ?? null })
    known.delete(file)
    if (seen !== null) known.set(file, seen.sha256)
    while (known.size > MAX_KNOWN) known.delete(known.keys().next().value ?? '')
    writeWhole(stateFile, JSON.stringify({ files: Object.fromEntries(known) }))
  }

  const lookAt = async (file: string, origin: ProfileOrigin): Promise<void> => {
    const text = await readProfileText(file, origin === 'project' ? 'project' : 'user').catch(() => null)
    const seen = text === null ? null : seenProfile(file, origin, text)
    tell(file, seen)
    if (seen?.servers == null) return
    const servers = await readProfileText(seen.servers, 'user').catch(() => null)
    tell(seen.servers, servers === null ? null : seenServers(servers))
  }

  const lookAtAll = async (project: string | undefined): Promise<void> => {
    const there = (await readdir(profiles).catch(() => [])).filter((name) => name.endsWith('.yaml')).sort().slice(0, MAX_PROFILES).map((name) => join(profiles, name))
    known ??= load()
    const gone = [...known.keys()].filter((file) => dirname(file) === profiles && !there.includes(file))
    for (const file of [...there, ...gone]) await lookAt(file, 'user')
    const sending = await readProfileText(ledgerSettings).catch(() => null)
    tell(ledgerSettings, sending === null ? null : seenExport(ledgerSettings, sending))
    await lookAt(organisationFile, 'organisation')
    if (project !== undefined) await lookAt(join(project, 'holdfast.yaml'), 'project')
  }

  let turn: Promise<void> = Promise.resolve()
  const look = (project?: string): Promise<void> =>
    (turn = turn.then(() => lookAtAll(project)).catch((error: unknown) => log(`changes of the configuration could not be recorded: ${String(error)}`)))

  let timer: NodeJS.Timeout | undefined
  const watcher = watch(profiles, () => {
    clearTimeout(timer)
    timer = setTimeout(() => void look(), SETTLE_MS).unref()
  })
  watcher.on('error', (error) => log(`${profiles} is not watched any more: ${error.message}`))
  watcher.unref()

  return {
    look,
    close: () => {
      clearTimeout(timer)
      watcher.close()
    },
  }
}
