import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { auditFile, compareFindings } from '../../domain/audit/audit-file.ts'
import type { AuditFinding, SecretSpan } from '../../domain/audit/finding.ts'
import type { Reach } from '../../domain/audit/reach.ts'
import { isPlainSecret } from '../../domain/secret-names.ts'
import { agentOf, auditedPlaces, type Place } from './places.ts'

export interface LocatedFinding extends AuditFinding {
  /** Null for what is in no file. */
  readonly file: string | null
}

/** Something within reach of an agent: of the one named, or of every one that runs as this user. */
export interface LocatedReach extends Reach {
  readonly file: string
  readonly agent: string | null
}

export interface AuditReport {
  readonly reach: readonly LocatedReach[]
  /** The worst first. */
  readonly findings: readonly LocatedFinding[]
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

const inEnvironment = (environment: AuditParams['environment']): LocatedFinding[] =>
  Object.entries(environment).filter(([name, value]) => value !== undefined && isPlainSecret(name, value)).map(([name]) => ({
    rule: 'secret-in-environment', severity: 'high', threat: 'identity spoofing', file: null, line: null, mend: null,
    what: `${name} is in this shell's environment`, why: 'each agent started from here holds it, and so does all that it runs',
    fix: `unset ${name}, and keep the value with "holdfast secret set agent/${name.toLowerCase().replaceAll('_', '-')}"`,
  }))

/** Looks at one file. */
export const auditPlace = async (place: Place, params: Pick<AuditParams, 'home' | 'scan'>): Promise<{ findings: readonly LocatedFinding[]; reach: readonly LocatedReach[]; skipped: string | null } | null> => {
  const read = await readAudited(place.path)
  if (read === null) return null
  if ('why' in read) return { findings: [], reach: [], skipped: read.why }
  const secrets = await params.scan(place.path, read.text.slice(0, MAX_SCANNED))
  const { findings, reach, problem } = auditFile({ kind: place.kind, scope: place.scope, home: params.home, secrets, ...read })
  return {
    findings: findings.map((finding) => ({ ...finding, file: place.path })),
    reach: reach.map((each) => ({ ...each, file: place.path, agent: each.kind === 'server' ? agentOf(place.path) : null })),
    skipped: problem,
  }
}

/**
 * What the agents on this machine, and in a project, could do wrong as they are set up. Reads and changes nothing. A file
 * that is huge, broken, a loop of links, or may not be read is named and passed over. No secret is in the report.
 */
export const audit = async (params: AuditParams): Promise<AuditReport> => {
  const findings = inEnvironment(params.environment)
  const reach: LocatedReach[] = []
  const read: string[] = []
  const skipped: { file: string; why: string }[] = []
  for (const place of await auditedPlaces(params.home, params.project)) {
    const result = await auditPlace(place, params)
    if (result === null) continue
    findings.push(...result.findings)
    reach.push(...result.reach)
    if (result.skipped === null) read.push(place.path)
    else skipped.push({ file: place.path, why: result.skipped })
  }
  return { findings: findings.sort(compareFindings), reach, read, skipped }
}
