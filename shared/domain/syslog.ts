import type { LedgerEntry } from '../contract/schemas/ledger.ts'
import { canonicalJson } from './ledger-chain.ts'
import { severityOf } from './ledger-severity.ts'

/** "Log audit", RFC 5424 section 6.2.1. */
const FACILITY = 13
/** Of section 6.2.1: informational, warning, error. */
const SEVERITIES = { info: 6, warn: 4, error: 3 }
/** What collectors take as a rule; section 6.1 asks for 2,048 at least. */
const MAX_BYTES = 8_192
/** `sequenceId` of section 7.3.1 begins anew after this. */
const MAX_SEQUENCE_ID = 2_147_483_647

/** ASCII alone, so that MSG needs no byte order mark (section 6.4) and holds no control character. */
const ascii = (json: string): string => json.replaceAll(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)

/**
 * One entry as a syslog message, RFC 5424 section 6, without framing. MSG is the entry as an export has it, in ASCII; of
 * one that would be too long, all but its body, which `bodyHash` stands for. `hostname` is what HOSTNAME says: at most
 * 255 printable ASCII characters.
 */
export const syslogMessage = (entry: LedgerEntry, hostname: string): string => {
  const priority = FACILITY * 8 + SEVERITIES[severityOf(entry)]
  const head = `<${priority}>1 ${new Date(entry.at).toISOString()} ${hostname} holdfast - ${entry.kind} [meta sequenceId="${((entry.sequence - 1) % MAX_SEQUENCE_ID) + 1}"] `
  const whole = head + ascii(canonicalJson(entry))
  if (whole.length <= MAX_BYTES) return whole
  const { body, ...rest } = entry
  return head + ascii(canonicalJson({ ...rest, bodyLeftOut: canonicalJson(body).length }))
}
