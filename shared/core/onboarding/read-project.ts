import { constants } from 'node:fs'
import { access, open } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { HoldfastError } from '../../contract/errors.ts'
import { parseMcpConfig } from '../../contract/schemas/mcp-config.ts'
import { readBoundaries } from '../../domain/onboarding/boundaries.ts'
import type { ProjectFacts } from '../../domain/onboarding/propose-profile.ts'
import { DEFAULT_MODEL_KEY } from '../policy/agent-profile.ts'
import { readTranscripts } from './read-transcripts.ts'

const MAX_BYTES = 1_048_576
const INSTRUCTIONS = ['CLAUDE.md', join('.claude', 'CLAUDE.md'), 'AGENTS.md']
const LOCKS: readonly (readonly [file: string, manager: string])[] = [
  ['pnpm-lock.yaml', 'pnpm'],
  ['yarn.lock', 'yarn'],
  ['bun.lock', 'bun'],
  ['bun.lockb', 'bun'],
  ['package.json', 'npm'],
]

/** The text of an ordinary file, or null when there is none. Of a project's no link is followed: a clone could point anywhere. */
export const readText = async (cwd: string, name: string, follow = false): Promise<string | null> => {
  const path = join(cwd, name)
  let file
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | (follow ? 0 : constants.O_NOFOLLOW))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return null
    throw new HoldfastError('profile-invalid', `${path} cannot be read (${code === 'ELOOP' ? 'it is a symbolic link' : code}).`, { at: { file: path } })
  }
  try {
    const state = await file.stat()
    if (!state.isFile() || state.size > MAX_BYTES) throw new HoldfastError('profile-invalid', `${path} is not a file of at most 1 MiB.`, { at: { file: path } })
    return await file.readFile('utf8')
  } finally {
    await file.close()
  }
}

const scriptsOf = (text: string | null): string[] => {
  try {
    const { scripts } = JSON.parse(text ?? '{}') as { scripts?: unknown }
    return typeof scripts === 'object' && scripts !== null ? Object.keys(scripts).slice(0, 200) : []
  } catch {
    return []
  }
}

const managerOf = async (cwd: string): Promise<string | null> => {
  for (const [file, manager] of LOCKS) {
    if (await access(join(cwd, file)).then(() => true, () => false)) return manager
  }
  return null
}

/** `owner/name` of a remote called origin on GitHub. The file is only read: asking git could run what its settings name. */
const repositoryOf = (config: string | null): string | null => {
  const origin = /^\[remote "origin"\]\s*\n((?:[ \t]+.*\n?)*)/m.exec(config ?? '')?.[1] ?? ''
  return /^\s*url\s*=\s*(?:https:\/\/(?:[^/@\s]*@)?github\.com\/|git@github\.com:|ssh:\/\/git@github\.com\/)([\w.-]+\/[\w.-]+?)(?:\.git)?\/?\s*$/m.exec(origin)?.[1] ?? null
}

/**
 * What lies in a project and says how its agent should be held: boundaries, servers, package manager, origin; and what
 * Claude Code, whose configuration folder is named, did here before. Runs nothing. Throws HoldfastError `profile-invalid` for a file that is there and cannot be understood.
 */
export const readProject = async (cwd: string, claudeFolder: string): Promise<ProjectFacts> => {
  const hidden = await readText(cwd, '.mcp.json')
  const mcp = hidden ?? (await readText(cwd, 'mcp.json'))
  const boundaries = []
  for (const name of INSTRUCTIONS) boundaries.push(...readBoundaries(name, (await readText(cwd, name)) ?? ''))
  return {
    name: basename(cwd),
    boundaries,
    mcp: parseMcpConfig(join(cwd, hidden === null ? 'mcp.json' : '.mcp.json'), mcp ?? '{}'),
    packageManager: await managerOf(cwd),
    scripts: scriptsOf(await readText(cwd, 'package.json')),
    repository: repositoryOf(await readText(cwd, join('.git', 'config')).catch(() => null)),
    modelKey: DEFAULT_MODEL_KEY,
    past: await readTranscripts({ cwd, claudeFolder }),
  }
}
