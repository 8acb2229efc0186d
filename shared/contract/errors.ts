import { z } from 'zod'

/**
 * Every way a command can be refused. Closed: a client can switch over it, and a new way is a new code.
 * `exitCode` in the CLI follows from the code alone (see EXIT_CODE_OF).
 */
export const ErrorCode = z.enum([
  'bad-params',
  'unknown-command',
  'unauthorised',
  'not-found',
  'illegal-state',
  'not-a-directory',
  'agent-not-found',
  'agent-refused',
  'profile-invalid',
  'nothing-to-undo',
  'container-unavailable',
  'checkpoint-failed',
  'secret-unavailable',
  'ledger-unavailable',
  'disk-full',
  'read-only',
  'no-host',
  'host-busy',
  'version-mismatch',
  'unsupported',
  'internal',
])
export type ErrorCode = z.infer<typeof ErrorCode>

export const ErrorBody = z.object({
  code: ErrorCode,
  /** One or two sentences for a person: what is wrong, and what to do next. Never a secret, never a stack trace. */
  message: z.string().max(8_192),
  /** Where the fault is, when it is in something the user wrote. */
  at: z
    .object({
      file: z.string().optional(),
      line: z.number().int().positive().optional(),
      column: z.number().int().positive().optional(),
      field: z.string().optional(),
    })
    .optional(),
})
export type ErrorBody = z.infer<typeof ErrorBody>

/** A fault meant for a person, carried over the contract as it is. Anything else thrown reaches a client as `internal`. */
export class HoldfastError extends Error {
  override readonly name = 'HoldfastError'
  readonly code: ErrorCode
  readonly at: ErrorBody['at']

  constructor(code: ErrorCode, message: string, options?: { at?: ErrorBody['at']; cause?: unknown }) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.at = options?.at
  }

  toBody(): ErrorBody {
    return { code: this.code, message: this.message, ...(this.at === undefined ? {} : { at: this.at }) }
  }
}

/** Exit codes of the command line: 0 done, 1 failed, 2 usage, 3 refused or denied, 4 no host. */
export const EXIT_CODE_OF: Readonly<Record<ErrorCode, 1 | 2 | 3 | 4>> = {
  'bad-params': 2,
  'unknown-command': 2,
  unauthorised: 3,
  'not-found': 1,
  'illegal-state': 1,
  'not-a-directory': 2,
  'agent-not-found': 1,
  'agent-refused': 3,
  'profile-invalid': 2,
  'nothing-to-undo': 1,
  'container-unavailable': 3,
  'checkpoint-failed': 3,
  'secret-unavailable': 3,
  'ledger-unavailable': 3,
  'disk-full': 1,
  'read-only': 1,
  'no-host': 4,
  'host-busy': 4,
  'version-mismatch': 4,
  unsupported: 2,
  internal: 1,
}
