import { createHmac, randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { readIfThere, writeWhole } from '../whole-file.ts'

/**
 * The key that findings are named with on this machine, made when there is none: a name stands for the bytes that a finding
 * is about, which may hold a secret, and without the key nobody can try guesses against it.
 */
export const readFindingKey = (path: string): string => {
  const kept = readIfThere(path)?.trim() ?? ''
  if (/^[0-9a-f]{64}$/.test(kept)) return kept
  const key = randomBytes(32).toString('hex')
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  writeWhole(path, `${key}\n`)
  return key
}

/** Names findings by what they are about, and those about the very same bytes by their order. */
export const createFindingIds = (key: string): ((rule: string, where: string, about: string) => string) => {
  const counts = new Map<string, number>()
  return (rule, where, about) => {
    const whole = JSON.stringify([rule, where, about])
    const count = counts.get(whole) ?? 0
    counts.set(whole, count + 1)
    return createHmac('sha256', key).update(`${whole}${count}`).digest('hex').slice(0, 8)
  }
}
