import { createHash, randomBytes } from 'node:crypto'
import { mkdir, realpath, rm, stat } from 'node:fs/promises'
import { isAbsolute, join, relative, resolve } from 'node:path'
import { HoldfastError } from '../../contract/errors.ts'
import type { SessionId } from '../../contract/ids.ts'
import { asFileFault } from '../file-fault.ts'
import type { Paths } from '../paths.ts'
import type { AgentProfile } from '../policy/agent-profile.ts'

/** A new unguessable token: 256 bits, URL-safe. */
export const createToken = (): string => randomBytes(32).toString('base64url')

const isInside = (inner: string, outer: string): boolean => {
  const path = relative(outer, inner)
  return path === '' || (!path.startsWith('..') && !isAbsolute(path))
}

/**
 * The folder a session works in, resolved through links.
 * Throws HoldfastError `not-a-directory` when there is none, and `agent-refused` when Holdfast's own files lie in it:
 * an agent that may write there could change its own record.
 */
export const resolveWorkingFolder = async (cwd: string, paths: Paths): Promise<string> => {
  const absolute = resolve(cwd)
  const real = await realpath(absolute).catch(() => null)
  if (real === null) throw new HoldfastError('not-a-directory', `There is no folder ${absolute}.`, { at: { file: absolute } })
  if (!(await stat(real)).isDirectory()) throw new HoldfastError('not-a-directory', `${absolute} is not a folder. Give the project's folder with --cwd.`, { at: { file: absolute } })
  for (const own of [paths.config, paths.data, paths.run]) {
    const resolved = await realpath(own).catch(() => own)
    if (isInside(resolved, real) || isInside(real, resolved)) {
      throw new HoldfastError('agent-refused', `${real} holds Holdfast's own files, which no agent may change. Start it in a project's folder, with --cwd.`)
    }
  }
  return real
}

/** A session's own folder, which its agent may read: made for the user alone, removed at the end. */
export const createSessionFolder = async (paths: Paths, sessionId: SessionId): Promise<string> => {
  const folder = join(paths.sessions, sessionId)
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw asFileFault(folder, error)
  }
  return folder
}

export const removeSessionFolder = (folder: string): Promise<void> => rm(folder, { recursive: true, force: true })

/**
 * Who the agent is on this machine. A name that the user's profile gives is the agent's everywhere; any other, from a project's
 * file or made up from the folder, is bound to that folder: else a cloned project could name another project's agent
 * and start with its login and key. `@` is in no agent's name.
 */
export const agentNameIn = ({ agent, agentOrigin }: Pick<AgentProfile, 'agent' | 'agentOrigin'>, cwd: string): string => {
  const bound = createHash('sha256').update(cwd).digest('hex').slice(0, 16)
  return agentOrigin === 'user' ? agent : `${agent}@${bound}`
}

/** The agent's own home. */
export const agentHome = (paths: Paths, profile: Pick<AgentProfile, 'agent' | 'agentOrigin'>, cwd: string): string => join(paths.agents, agentNameIn(profile, cwd), 'home')
