import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { z } from 'zod'
import { HoldfastError } from '../../contract/errors.ts'
import { SessionId } from '../../contract/ids.ts'
import { ProcessIdentity } from './processes.ts'

const MAX_BYTES = 16_384
const AbsolutePath = z.string().startsWith('/').max(4096)

/**
 * What it takes to freeze and kill a container without the host that made it. No process id stands alone in it: the
 * start time names the process, the boot id the run of the machine.
 */
export const KillFile = z.strictObject({
  version: z.literal(1),
  kind: z.enum(['linux', 'plain']),
  sessionId: SessionId,
  cwd: AbsolutePath,
  bootId: z.string().min(1).max(64),
  cgroup: AbsolutePath.nullable(),
  /** The process of ours that everything inside descends from, itself outside. */
  root: ProcessIdentity,
  /** The first process of the pid namespace: when it is dead, the kernel has emptied the namespace. */
  init: ProcessIdentity.nullable(),
})
export type KillFile = z.infer<typeof KillFile>

/** Writes it whole or not at all, for the user's eyes only. Throws what the file system throws. */
export const writeKillFile = (file: string, content: KillFile): void => {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 })
  const aside = `${file}.${process.pid}.new`
  writeFileSync(aside, JSON.stringify(content), { mode: 0o600 })
  renameSync(aside, file)
}

/** Reads one as a stranger's. null when there is none; throws HoldfastError `illegal-state` when it is damaged. */
export const readKillFile = (file: string): KillFile | null => {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  try {
    if (text.length > MAX_BYTES) throw new Error('too long')
    return KillFile.parse(JSON.parse(text))
  } catch (cause) {
    const message = `The kill file ${file} is damaged, so nothing was killed by it.`
    throw new HoldfastError('illegal-state', message, { cause })
  }
}

export const removeKillFile = (file: string): void => rmSync(file, { force: true })
