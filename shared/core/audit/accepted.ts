import { createHash, randomBytes } from 'node:crypto'
import { z } from 'zod'
import { HoldfastError } from '../../contract/errors.ts'
import { readIfThere, writeWhole } from '../whole-file.ts'

const text = z.string().max(4_096)

/** A finding that a person took as it is, with the reason. Bound to the bytes it was about by a salted hash: they may hold a secret. */
const Acceptance = z.strictObject({ rule: text, file: text, what: text, reason: z.string().min(1).max(1_000), acceptedAt: z.number().int(), salt: text, sha256: text })
export type Acceptance = z.infer<typeof Acceptance>

const Kept = z.strictObject({ accepted: z.array(Acceptance).max(10_000) })

/** What an acceptance is about. */
export interface Acceptable {
  readonly rule: string
  readonly file: string
  readonly what: string
  readonly about: string
}

const hashOf = (salt: string, about: string): string => createHash('sha256').update(`${salt}\n${about}`).digest('hex')

/** The acceptance that covers a finding, as long as not one byte of what it was about has changed. */
export const acceptanceOf = ({ rule, file, about }: Acceptable, accepted: readonly Acceptance[]): Acceptance | null =>
  accepted.find((each) => each.rule === rule && each.file === file && each.sha256 === hashOf(each.salt, about)) ?? null

/** The acceptance of a finding of this description, made of other bytes: it covers it no more, or never did. */
export const earlierAcceptance = ({ rule, file, what, about }: Acceptable, accepted: readonly Acceptance[]): Acceptance | null =>
  accepted.find((each) => each.rule === rule && each.file === file && each.what === what && each.sha256 !== hashOf(each.salt, about)) ?? null

/** What was accepted. Throws HoldfastError `bad-params` for a file that cannot be read: then nothing counts as accepted. */
export const readAccepted = (path: string): readonly Acceptance[] => {
  const found = readIfThere(path)
  if (found === null) return []
  try {
    return Kept.parse(JSON.parse(found)).accepted
  } catch {
    throw new HoldfastError('bad-params', `${path} cannot be read, so that nothing counts as accepted. Mend or remove it.`)
  }
}

/** Takes a finding as it is. */
export const accept = (path: string, { rule, file, what, about }: Acceptable, reason: string, now: number): void => {
  const salt = randomBytes(16).toString('hex')
  const rest = readAccepted(path).filter((each) => each !== acceptanceOf({ rule, file, what, about }, [each]))
  writeWhole(path, `${JSON.stringify({ accepted: [...rest, { rule, file, what, reason, acceptedAt: now, salt, sha256: hashOf(salt, about) }] }, null, 2)}\n`)
}

/** Takes an acceptance back. */
export const withdraw = (path: string, acceptance: Acceptance): void =>
  writeWhole(path, `${JSON.stringify({ accepted: readAccepted(path).filter(({ salt }) => salt !== acceptance.salt) }, null, 2)}\n`)
