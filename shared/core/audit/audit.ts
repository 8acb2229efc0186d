import { constants } from 'node:fs'
import { open, realpath } from 'node:fs/promises'
import type { AuditedFinding } from '../../contract/schemas/finding.ts'
import { auditFile, compareFindings } from '../../domain/audit/audit-file.ts'
import type { AuditFinding, SecretSpan } from '../../domain/audit/finding.ts'
import type { Reach } from '../../domain/audit/reach.ts'
import { isPlainSecret } from '../../domain/secret-names.ts'
import { type Acceptance, acceptanceOf, earlierAcceptance } from './accepted.ts'
import { createFindingIds } from './finding-id.ts'
import { agentOf, auditedPlaces, type Place } from './places.ts'

export interface LocatedFinding extends AuditFinding {
  /** What to call it by: the same at every look, as long as not one byte of what it is about changes. */
  readonly id: string
  /** Null for what is in no file. */
  readonly file: string | null
  readonly place: Place | null
  /** The bytes it is about. They may hold a secret, and leave this process in no report. */
  readonly about: string
  /** What a person said of it before it changed, or when less of it was looked at: it has to be accepted anew. */
  readonly before?: Acceptance
}

/** A finding that a person took as it is. */
export interface AcceptedFinding extends LocatedFinding {
  readonly acceptance: Acceptance
}

/** Something within reach of an agent: of the one named, or of every one that runs as this user. */
export interface LocatedReach extends Reach {
  readonly file: string
  readonly agent: string | null
}

export interface AuditReport {
  readonly reach: readonly LocatedReach[]
  /** The user's own logins that lie in plain text, where their programs keep them: within reach too, and no fault of how agents are set up. */
  readonly logins: readonly LocatedFinding[]
  /** The worst first. */
  readonly findings: readonly LocatedFinding[]
  readonly accepted: readonly AcceptedFinding[]
  /** Files that were read. */
  readonly read: readonly string[]
  readonly skipped: readonly { readonly file: string; readonly why: string }[]
}

export interface AuditParams {
  readonly home: string
  /** The project's folder; null for the machine alone. */
  readonly project: string | null
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly scan: (path: string, text: string) => Promise<readonly SecretSpan[]>
  readonly accepted: readonly Acceptance[]
  /** See readFindingKey. */
  readonly key: string
}

const MAX_BYTES = 4 * 1024 * 1024
/** The scanner's patterns take long on more than this; rules see the whole file. */
const MAX_SCANNED = 512 * 1024

const WHY: Readonly<Record<string, string>> = { EACCES: 'may not be read', EPERM: 'may not be read', ELOOP: 'is a loop of links', ENXIO: 'is not a file', EISDIR: 'is a folder' }

type Text = { readonly text: string; readonly mode: number | null } | { readonly why: string } | null

/** The text of a file; why it is skipped; or null when nothing lies there. Waits for no pipe. */
export const readAudited = async (path: string): Promise<Text> => {
  let file
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? ''
    return code === 'ENOENT' || code === 'ENOTDIR' ? null : { why: WHY[code] ?? `cannot be read (${code})` }
  }
  try {
    const state = await file.stat()
    if (!state.isFile()) return { why: 'is not a file' }
    if (state.size > MAX_BYTES) return { why: 'is larger than 4 MiB' }
    const text = new TextDecoder('utf-8', { fatal: true }).decode(await file.readFile())
    return { text, mode: process.platform === 'win32' ? null : state.mode & 0o777 }
  } catch (error) {
    return { why: error instanceof TypeError ? 'is not text' : 'cannot be read' }
  } finally {
    await file.close()
  }
}

const inEnvironment = ({ environment, key }: AuditParams): LocatedFinding[] => {
  const idOf = createFindingIds(key)
  return Object.entries(environment).filter(([name, value]) => value !== undefined && isPlainSecret(name, value)).map(([name]) => ({
    rule: 'secret-in-environment', id: idOf('secret-in-environment', name, ''), severity: 'high', threat: 'identity spoofing', file: null, place: null, line: null, mend: null, about: '',
    what: `${name} is in this shell's environment`, why: 'each agent started from here holds it, and so does all that it runs',
    fix: `unset ${name}, and keep the value with "holdfast secret set agent/${name.toLowerCase().replaceAll('_', '-')}"`,
  }))
}

interface PlaceAudit {
  readonly findings: readonly LocatedFinding[]
  readonly logins: readonly LocatedFinding[]
  readonly reach: readonly LocatedReach[]
  readonly skipped: string | null
}

/** Looks at one file's text. */
export const auditText = async (place: Place, text: string, mode: number | null, params: Pick<AuditParams, 'home' | 'scan' | 'key'>): Promise<PlaceAudit> => {
  const secrets = await params.scan(place.path, text.slice(0, MAX_SCANNED))
  const { findings, logins, reach, problem } = auditFile({ kind: place.kind, scope: place.scope, home: params.home, secrets, text, mode })
  const idOf = createFindingIds(params.key)
  const located = <Found extends AuditFinding & { readonly about: string }>(finding: Found): Found & { id: string; file: string; place: Place } =>
    ({ ...finding, id: idOf(finding.rule, place.path, finding.about), file: place.path, place })
  return {
    findings: findings.map(located),
    logins: logins.map((login) => located({ ...login, about: '' })),
    reach: reach.map((each) => ({ ...each, file: place.path, agent: each.kind === 'server' ? agentOf(place.path) : null })),
    skipped: problem,
  }
}

/** Looks at one file. */
export const auditPlace = async (place: Place, params: Pick<AuditParams, 'home' | 'scan' | 'key'>): Promise<PlaceAudit | null> => {
  const read = await readAudited(place.path)
  if (read === null) return null
  return 'why' in read ? { findings: [], logins: [], reach: [], skipped: read.why } : auditText(place, read.text, read.mode, params)
}

/**
 * What the agents on this machine, and in a project, could do wrong as they are set up. Reads and changes nothing. A file
 * that is huge, broken, a loop of links, or may not be read is named and passed over. `publicFinding` takes out what may hold a secret.
 */
export const audit = async (params: AuditParams): Promise<AuditReport> => {
  const all = inEnvironment(params)
  const logins: LocatedFinding[] = []
  const reach: LocatedReach[] = []
  const read: string[] = []
  const skipped: { file: string; why: string }[] = []
  const seen = new Set<string>()
  for (const place of await auditedPlaces(params.home, params.project)) {
    // One file under two names, as where CLAUDE.md is a link to AGENTS.md, is looked at once.
    const file = `${place.kind} ${place.scope} ${await realpath(place.path).catch(() => place.path)}`
    if (seen.has(file)) continue
    seen.add(file)
    const result = await auditPlace(place, params)
    if (result === null) continue
    all.push(...result.findings)
    logins.push(...result.logins)
    reach.push(...result.reach)
    if (result.skipped === null) read.push(place.path)
    else skipped.push({ file: place.path, why: result.skipped })
  }
  const findings: LocatedFinding[] = []
  const accepted: AcceptedFinding[] = []
  for (const finding of all.sort(compareFindings)) {
    const acceptance = finding.file === null ? null : acceptanceOf({ ...finding, file: finding.file }, params.accepted)
    const before = acceptance === null && finding.file !== null ? earlierAcceptance({ ...finding, file: finding.file }, params.accepted) : null
    if (acceptance === null) findings.push(before === null ? finding : { ...finding, before })
    else accepted.push({ ...finding, acceptance })
  }
  return { findings, accepted, logins: logins.sort(compareFindings), reach, read, skipped }
}

/** A finding without what may hold a secret. */
export const publicFinding = ({ id, rule, severity, threat, file, line, what, why, fix, mend }: LocatedFinding): AuditedFinding => ({ id, rule, severity, threat, file, line, what, why, fix, fixable: mend !== null })

/** What may be shown and sent of a report. */
export const publicReport = ({ findings, accepted, logins, reach, read, skipped }: AuditReport) => ({
  findings: findings.map(publicFinding),
  accepted: accepted.map(({ acceptance: { reason, acceptedAt }, ...finding }) => ({ ...publicFinding(finding), reason, acceptedAt })),
  logins: logins.map(publicFinding),
  reach: [...reach],
  read: [...read],
  skipped: [...skipped],
})
