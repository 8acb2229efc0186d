import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { formatId, SessionId } from '../../contract/ids.ts'
import type { Finding } from '../../contract/schemas/finding.ts'
import { createAskProgram } from '../agents/ask-program.ts'
import { OLDEST_VERSION, requireVersion } from '../agents/claude-code/version.ts'
import { findExecutable, foldersToSearch, requireOutOfReach } from '../agents/find-executable.ts'
import { createCgroup, removeCgroup } from '../containers/cgroup.ts'
import { containersFor } from '../containers/choose.ts'
import { findGit } from '../program-trust.ts'
import { fail, ok, warn } from './finding.ts'

const OLDEST_NODE = 24
const OLDEST_GIT = [2, 25] as const

const run = promisify(execFile)

export const examineNode = (version = process.version): Finding =>
  Number(/^v(\d+)/.exec(version)?.[1]) >= OLDEST_NODE
    ? ok('node', `${version}, ${process.platform} ${process.arch}`)
    : fail('node', `${version} is too old`, `Run Holdfast with Node ${OLDEST_NODE} or newer; "npm start" brings its own.`)

/** Programs are looked for where no agent could have put them: `here` is a folder that agents work in. */
export const examineGit = async (path: string, here: string): Promise<Finding> => {
  const file = findGit((await foldersToSearch(path, [here])).join(delimiter))
  const told = file === null ? null : await run(file, ['--version'], { env: {}, timeout: 5_000 }).then(({ stdout }) => stdout.trim(), () => null)
  const todo = `Install git ${OLDEST_GIT.join('.')} or newer (Debian: apt-get install git): checkpoints need it.`
  const match = /(\d+)\.(\d+)/.exec(told ?? '')
  if (told === null || match === null) return fail('git', 'not found', todo)
  const [major, minor] = [Number(match[1]), Number(match[2])]
  return major > OLDEST_GIT[0] || (major === OLDEST_GIT[0] && minor >= OLDEST_GIT[1]) ? ok('git', told) : fail('git', `${told} is too old`, todo)
}

/** Makes a real container, as a session would. */
export const examineContainer = async (platform = process.platform): Promise<Finding> => {
  const { contained, uncontained } = containersFor(platform, '')
  const problem = await contained.unavailable()
  if (problem === null && contained.kind === 'macos') return warn('container', 'Seatbelt, not run on this platform yet: agents should see their project and nothing else of yours', 'Try it on something that you can lose.')
  if (problem === null) return ok('container', 'bubblewrap made one: agents see their project and nothing else of yours')
  const without = await uncontained.unavailable()
  const untried = uncontained.kind === 'plain' ? '' : ', not run on this platform yet'
  return without === null
    ? warn('container', `${uncontained.kind}${untried}: kill and revert hold, and nothing is hidden from the agent`, problem)
    : fail('container', 'none works on this machine', `${problem} ${without}`)
}

/** Makes a control group and removes it. */
export const examineCgroup = (random: Uint8Array): Finding => {
  const todo = 'Nothing has to be done. With systemd, start Holdfast as a user service or with: systemd-run --user --scope -p Delegate=yes'
  const folder = createCgroup(SessionId.parse(formatId('ses', random)))
  if (folder === null) return warn('cgroup', 'not writable: kill is slower, and only the order in which Linux ends programs limits a session’s memory', todo)
  const limitsMemory = existsSync(join(folder, 'memory.max'))
  removeCgroup(folder)
  if (limitsMemory) return ok('cgroup', 'writable: sessions are frozen and killed at once, and limited in memory')
  return ok('cgroup', 'writable: sessions are frozen and killed at once; the system hands down no limit on memory')
}

export const examineClaude = async (path: string, here: string): Promise<Finding> => {
  const folders = await foldersToSearch(path, [here])
  const file = await findExecutable('claude', folders, here)
  if (file === null) {
    return warn('claude', 'not found on the PATH', 'Install Claude Code (https://code.claude.com/docs/en/setup), or run another agent: holdfast run -- COMMAND')
  }
  const { contained } = containersFor(process.platform, '')
  if ((await contained.unavailable()) !== null) return warn('claude', `found at ${file}, and not asked for its version`, `${OLDEST_VERSION} or newer is needed. No program is tried here without a container: see above.`)
  try {
    return ok('claude', `${await requireVersion(createAskProgram(contained), await requireOutOfReach(file, [here]), folders.join(delimiter))} at ${file} (${OLDEST_VERSION} or newer is needed)`)
  } catch (error) {
    return warn('claude', `${file} cannot be held`, error instanceof Error ? error.message : String(error))
  }
}
