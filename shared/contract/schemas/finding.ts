import { z } from 'zod'

/**
 * One thing that was looked at on this machine. `fail`: no session can be started or held like this. `warn`: sessions
 * run, and something is missing. `todo` says what to do about it, null where there is nothing to do.
 */
export const Finding = z.object({
  name: z.string(),
  state: z.enum(['ok', 'warn', 'fail']),
  message: z.string(),
  todo: z.string().nullable(),
})
export type Finding = Readonly<z.infer<typeof Finding>>
