import { z } from 'zod'

/** A moment: milliseconds since 1970-01-01 UTC. Fields that hold one end in `At`. */
export const Timestamp = z.number().int().nonnegative()
export type Timestamp = z.infer<typeof Timestamp>
