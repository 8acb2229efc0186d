import { lstat, readdir, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Client } from '../../contract/client.ts'
import type { Finding } from '../../contract/schemas/finding.ts'
import type { LedgerExport } from '../../contract/schemas/ledger-settings.ts'
import { HoldfastError } from '../../contract/errors.ts'
import { brokenExamples } from '../../domain/classify/check-rules.ts'
import { FAMILIES } from '../../domain/classify/families/index.ts'
import { shown } from '../../domain/classify/finding.ts'
import { formatCount } from '../../domain/format.ts'
import type { Paths } from '../paths.ts'
import { readProfileFile } from '../policy/read-profile-file.ts'
import type { SecretStore } from '../ports.ts'
import { secretState, secretStateText } from '../../domain/secret-state.ts'
import { VERSION } from '../version.ts'
import { fail, ok, warn } from './finding.ts'

const KEYCHAIN_ANSWERS_WITHIN_MS = 10_000
const MIB = 1024 * 1024
const ENOUGH_BYTES = 1024 * MIB
const TOO_FEW_BYTES = 64 * MIB

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** Reads the names it keeps and when each is due, and no secret. */
export const examineKeychain = async (secrets: SecretStore, now: number): Promise<Finding> => {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new HoldfastError('secret-unavailable', 'The keychain does not answer. Perhaps it waits for its password: look for its window.')), KEYCHAIN_ANSWERS_WITHIN_MS)
  try {
    const kept = await Promise.race([secrets.list(), late])
    const due = kept.filter((secret) => secretState(secret, now) !== 'ok')
    if (due.length > 0) return warn('keychain', due.map((secret) => `${secret.name}: ${secretStateText(secret, now)}`).join('; '), `Give it a new value: holdfast secret rotate ${due[0]?.name ?? ''}`)
    const count = kept.length
    return ok('keychain', `answers; keeps ${formatCount(count)} secret${count === 1 ? '' : 's'} for agents`)
  } catch (error) {
    return warn('keychain', 'cannot be used: agents can sign in themselves, and get no key of yours', messageOf(error))
  } finally {
    clearTimeout(timer)
  }
}

/** The nearest folder that is there. */
const existing = async (folder: string): Promise<string> => ((await lstat(folder).catch(() => null)) === null && dirname(folder) !== folder ? existing(dirname(folder)) : folder)

/** Each folder of Holdfast's own that is there must be this user's alone. */
export const examineFolders = async (paths: Paths): Promise<Finding> => {
  const found: string[] = []
  for (const folder of [paths.config, paths.data, paths.run]) {
    const state = await lstat(folder).catch(() => null)
    if (state === null) continue
    found.push(folder)
    if (!state.isDirectory()) return fail('folders', `${folder} is not a folder`, 'Move it away: Holdfast makes a folder there.')
    if (process.getuid !== undefined && state.uid !== process.getuid()) return fail('folders', `${folder} belongs to another user`, 'Set HOLDFAST_HOME to a folder of your own.')
    if (process.platform !== 'win32' && (state.mode & 0o077) !== 0) return fail('folders', `${folder} is open to other users`, `Close it: chmod 700 '${folder}'`)
  }
  return ok('folders', found.length === 0 ? `${paths.data} is made when the host first starts` : `yours alone: ${found.join(', ')}`)
}

export const examineDisk = async (paths: Paths): Promise<Finding> => {
  const folder = await existing(paths.data)
  const { bavail, bsize } = await statfs(folder)
  const free = bavail * bsize
  const told = `${formatCount(Math.floor(free / MIB))} MiB free at ${folder}`
  if (free < TOO_FEW_BYTES) return fail('disk', told, 'Free some space: a session whose checkpoint or audit log cannot be written does not start.')
  return free < ENOUGH_BYTES ? warn('disk', told, 'Free some space soon: checkpoints and the audit log are kept there.') : ok('disk', told)
}

/** Reads every profile, and the `holdfast.yaml` of this folder. */
export const examineProfiles = async (paths: Paths, cwd: string): Promise<Finding> => {
  const names = (await readdir(paths.profiles).catch(() => [])).filter((name) => name.endsWith('.yaml'))
  try {
    for (const name of names) await readProfileFile(join(paths.profiles, name), 'user')
    const project = await readProfileFile(join(cwd, 'holdfast.yaml'), 'project')
    return ok('profiles', `${formatCount(names.length)} of yours${project === null ? '' : ', and holdfast.yaml here'}: all valid`)
  } catch (error) {
    return fail('profiles', 'one cannot be read, and no session starts with it', messageOf(error))
  }
}

/** Holds what is known about programs against its own examples, on this machine's runtime. */
export const examineRules = (): Finding => {
  const broken = brokenExamples()
  const rules = FAMILIES.reduce((sum, family) => sum + family.rules.length, 0)
  if (broken.length === 0) return ok('classification', `${formatCount(rules)} rules about programs, each of which holds its examples`)
  return fail('classification', `${formatCount(broken.length)} examples are not judged as they should be, such as ${shown(broken[0] ?? '')}`, 'Install Holdfast anew, and report it if that does not help.')
}

const examineExport = ({ to, sent, waiting, problem }: LedgerExport): Finding => {
  const told = `${to} has ${formatCount(sent)} entries of the audit log${waiting === 0 ? '' : `, ${formatCount(waiting)} wait`}`
  return problem === null ? ok('export', told) : warn('export', told, `${problem}. Nothing is lost: they wait in the audit log.`)
}

/** Whether a host answers, and what it says of the audit log. */
export const examineHost = async (connect: () => Promise<Client | null>): Promise<Finding[]> => {
  let client: Client | null
  try {
    client = await connect()
  } catch (error) {
    return [fail('host', 'one runs that cannot be used', messageOf(error))]
  }
  if (client === null) return [ok('host', 'none runs; commands start one when they need it'), ok('ledger', 'not verified: that needs a host. "holdfast ledger verify" starts one')]
  try {
    const { version, pid, sessions, writeProblem } = await client.call('host/info', {})
    const told = `${version}, process ${pid}, ${formatCount(sessions)} session${sessions === 1 ? '' : 's'} since it started`
    const host = version === VERSION ? ok('host', told) : warn('host', `${told}; this program is ${VERSION}`, 'Restart it when no session runs: holdfast down')
    const { ok: verified, entries } = await client.call('ledger/verify', {})
    const { exports } = await client.call('ledger/exports', {})
    return [
      host,
      ...(typeof writeProblem === 'string' ? [warn('edits', 'not told whose they are while a session computes', writeProblem)] : []),
      ...exports.map(examineExport),
      verified ? ok('ledger', `verified: ${formatCount(entries)} entries`) : fail('ledger', 'NOT VERIFIED', 'See what happened to it: holdfast ledger verify'),
    ]
  } catch (error) {
    return [fail('host', 'does not answer as it should', messageOf(error))]
  } finally {
    client.close()
  }
}
