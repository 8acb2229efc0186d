import { z } from 'zod'
import { MatchedRule, PolicyEffect } from './tool-call.ts'
import { NetworkMode } from './profile.ts'

/** How a session would be run: profile, project and organisation put together. */
export const ResolvedProfile = z.object({
  agent: z.string(),
  adapter: z.string(),
  command: z.array(z.string()),
  envNames: z.array(z.string()),
  sandbox: z.enum(['auto', 'off']),
  network: NetworkMode,
  spendUsd: z.number().nullable(),
  modelKey: z.string(),
  hasServers: z.boolean(),
  /** Of files, not the built-in ones. */
  rules: z.array(MatchedRule),
  notices: z.array(z.string()),
})
export type ResolvedProfile = z.infer<typeof ResolvedProfile>

/** A file that would make an agent a governed one; `kept`: another is there, and stays. */
export const SetupFile = z.object({ path: z.string(), text: z.string(), state: z.enum(['proposed', 'same', 'kept']) })

/** A line of a project's own words, and what would become of calls that it means; null where nobody knows any. */
export const JudgedBoundary = z.object({
  kind: z.enum(['forbidden', 'allowed']),
  text: z.string(),
  file: z.string(),
  line: z.number().int(),
  calls: z.array(z.object({ tool: z.string(), input: z.record(z.string(), z.string()), effect: PolicyEffect })).nullable(),
})
export type JudgedBoundary = z.infer<typeof JudgedBoundary>

/** What `holdfast init` would write for a project, and what its agent could then do. */
export const ProposedSetup = z.object({
  agent: z.string(),
  files: z.array(SetupFile),
  boundaries: z.array(JudgedBoundary),
  /** Keychain items to fill. */
  secrets: z.array(z.string()),
  notes: z.array(z.string()),
  outlook: ResolvedProfile,
})
export type ProposedSetup = z.infer<typeof ProposedSetup>
