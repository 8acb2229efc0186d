import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { freezeByFile } from './grip.ts'

/** How long a host that is broken may take to freeze its sessions, in ms. */
const FREEZE_MS = 2_000
/** EX_SOFTWARE of sysexits(3). */
const EXIT_CODE = 70

const freezeAll = async (killFiles: string): Promise<string> => {
  const files = (await readdir(killFiles).catch(() => [])).filter((name) => name.endsWith('.json'))
  const late = delay(FREEZE_MS, 'late' as const, { ref: false })
  const frozen = await Promise.all(files.map((name) => Promise.race([freezeByFile(join(killFiles, name)).catch(() => 'failed' as const), late])))
  return `${frozen.filter((how) => how === undefined).length} of ${files.length} containers were frozen first`
}

/**
 * For a fault that nothing caught: nobody can tell any more what the host would let through. Every container is frozen,
 * that is said, and the host ends with 70; where a container ends with its host, nothing of it has run meanwhile. The
 * kill files stay, for the next host and for a kill without one.
 */
export const installLastResort = (killFiles: string, log: (line: string) => void): void => {
  let isEnding = false
  const end = async (cause: unknown): Promise<void> => {
    if (isEnding) return
    isEnding = true
    log(`The host meets a fault that it cannot go on from: ${cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)}`)
    const told = await freezeAll(killFiles).catch(String)
    log(`The host ends; ${told}. What its sessions changed stays: "holdfast sessions" shows them, "holdfast kill ID" reverts one.`)
    process.exit(EXIT_CODE)
  }
  process.on('uncaughtException', (error) => void end(error))
  process.on('unhandledRejection', (error) => void end(error))
}
