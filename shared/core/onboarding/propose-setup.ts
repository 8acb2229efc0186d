import { join } from 'node:path'
import type { PolicyEffect } from '../../contract/schemas/tool-call.ts'
import { judgeCall } from '../../domain/judge-call.ts'
import type { Boundary } from '../../domain/onboarding/boundaries.ts'
import type { SampleCall } from '../../domain/onboarding/known-actions.ts'
import { proposeProfile } from '../../domain/onboarding/propose-profile.ts'
import type { AgentProfile } from '../policy/agent-profile.ts'
import type { Paths } from '../paths.ts'
import { loadProfile } from '../policy/load-profile.ts'
import { resolveWorkingFolder } from '../supervisor/session-folder.ts'
import { readProject } from './read-project.ts'
import { stateOfFile } from './write-new.ts'

export interface SetupPlace {
  /** The project's folder, absolute. */
  readonly cwd: string
  /** The user's config folder, which holds `profiles/`. */
  readonly configFolder: string
  /** Claude Code's own configuration folder, for what was done here before. */
  readonly claudeFolder: string
  readonly home: string
  /** Of the profile and its agent; by default claude- and the folder. */
  readonly name: string | undefined
}

export interface SetupFile {
  readonly path: string
  readonly text: string
  readonly origin: 'user' | 'project'
  /** `kept`: another file is there, and stays. */
  readonly state: 'proposed' | 'same' | 'kept'
}

/** A line of the project's own words, with what would become of calls that it means; null where nothing here knows any. */
export interface JudgedBoundary extends Boundary {
  readonly calls: readonly (SampleCall & { readonly effect: PolicyEffect })[] | null
}

export interface Setup {
  readonly agent: string
  readonly files: readonly SetupFile[]
  readonly boundaries: readonly JudgedBoundary[]
  /** Keychain items to fill. */
  readonly secrets: readonly string[]
  readonly notes: readonly string[]
  /** How its sessions would be run, by the files that are proposed and those that stay. */
  readonly profile: AgentProfile
}

const fileOf = async (path: string, text: string, origin: SetupFile['origin']): Promise<SetupFile> => {
  const state = await stateOfFile(path, text)
  return { path, text, origin, state: state === 'none' ? 'proposed' : state === 'same' ? 'same' : 'kept' }
}

/**
 * A governed agent for a project, from what lies in it: the two files, what they would let it do, and what they would
 * not. Writes nothing. Throws HoldfastError `profile-invalid` for a file that is there and cannot be understood.
 */
export const proposeSetup = async ({ cwd, configFolder, claudeFolder, home, name }: SetupPlace): Promise<Setup> => {
  const { agent, projectText, userText, boundaries, secrets, notes } = proposeProfile(await readProject(cwd, claudeFolder), name)
  const project = await fileOf(join(cwd, 'holdfast.yaml'), projectText, 'project')
  const user = await fileOf(join(configFolder, 'profiles', `${agent}.yaml`), userText, 'user')
  const profile = await loadProfile({
    cwd,
    configFolder,
    name: agent,
    command: [],
    draft: user.state === 'kept' ? undefined : userText,
    projectDraft: project.state === 'kept' ? undefined : projectText,
  })
  return {
    agent,
    files: [project, user],
    boundaries: boundaries.map(({ boundary, samples }) => ({
      ...boundary,
      calls: samples === null ? null : samples.map((call) => ({ ...call, effect: judgeCall({ policy: profile.policy, ...call, cwd, home }).effect })),
    })),
    secrets,
    notes,
    profile,
  }
}

/** The same on the host's own machine. Throws HoldfastError also as `resolveWorkingFolder` does. */
export const createSetupProposer =
  ({ paths, environment }: { paths: Paths; environment: Readonly<Record<string, string | undefined>> }) =>
  async (cwd: string, name: string | undefined): Promise<Setup> => {
    const home = environment['HOME'] ?? '/'
    const claudeFolder = environment['CLAUDE_CONFIG_DIR'] ?? join(home, '.claude')
    return proposeSetup({ cwd: await resolveWorkingFolder(cwd, paths), configFolder: paths.config, claudeFolder, home, name })
  }

export type ProposeSetup = ReturnType<typeof createSetupProposer>
