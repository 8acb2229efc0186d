import { z } from 'zod'
import { SecretName } from './secret.ts'

const HeaderName = z.string().max(256).regex(/^[A-Za-z0-9_-]+$/, 'must be the name of a header')
const HeaderValue = z.string().max(4_096).regex(/^[\x20-\x7e]*$/, 'must be printable ASCII')

export const Signal = z.enum(['logs', 'traces', 'metrics'])
export type Signal = z.infer<typeof Signal>

/** `ledger.yaml` in the user's own configuration: what the host does with the ledger while it runs. No project has one. */
export const LedgerSettings = z.strictObject({
  /** What agents said, asked for and got is emptied after so many days, as `ledger prune` does. */
  keepContentDays: z.number().int().min(1).max(36_500).optional(),
  otlp: z
    .strictObject({
      /** https, or http to this machine itself: see core/ledger/ledger-settings. */
      endpoint: z.string().max(2_048),
      /** `Authorization_SECRET: team/otel-token` names the keychain item that becomes `Authorization`. */
      headers: z
        .record(HeaderName, HeaderValue)
        .refine((headers) => Object.entries(headers).every(([name, value]) => !name.endsWith('_SECRET') || SecretName.safeParse(value).success), 'NAME_SECRET takes the name of a keychain item')
        .default({}),
      signals: z.array(Signal).min(1).default(['logs', 'traces', 'metrics']),
    })
    .optional(),
  syslog: z.strictObject({ to: z.string().max(2_048) }).optional(),
})
export type LedgerSettings = z.infer<typeof LedgerSettings>

/** One receiver of the ledger, and how far it got. */
export const LedgerExport = z.object({
  format: z.enum(['otlp', 'syslog']),
  to: z.string(),
  /** It has entries 1 to here; `waiting` are after that, in the ledger. */
  sent: z.number().int().nonnegative(),
  waiting: z.number().int().nonnegative(),
  /** Why it does not get them now, for a person; null when it does. */
  problem: z.string().nullable(),
})
export type LedgerExport = z.infer<typeof LedgerExport>
