import { readdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { HoldfastError } from '../../contract/errors.ts'
import { NetworkMode, OverLimit, type ProfileFile } from '../../contract/schemas/profile.ts'
import { DEFAULT_CHECKPOINT_LIMITS } from '../../domain/checkpoint-retention.ts'
import { BUILT_IN_LAYER } from '../../domain/policy-evaluate.ts'
import { type AgentProfile, DEFAULT_MODEL_KEY, type ProfileLimits } from './agent-profile.ts'
import { parseProfileText, type ReadProfile } from '../../domain/profile-text.ts'
import type { CheckpointLimits } from '../ports.ts'
import { readProfileFile } from './read-profile-file.ts'

export interface LoadProfileParams {
  /** The project's folder, absolute. */
  readonly cwd: string
  /** The user's config folder, which holds `profiles/`. */
  readonly configFolder: string
  /** The profile asked for by name; without it `default` is taken where there is one. */
  readonly name?: string | undefined
  /** The command to run; when empty, the profile's. */
  readonly command: readonly string[]
  /** Takes the place of the text of the named profile, to try it out. */
  readonly draft?: string | undefined
}

const DEFAULT_COMMAND = ['claude']
const DEFAULT_ENV_PASS = ['PATH', 'LANG', 'LANGUAGE', 'LC_*', 'TERM', 'COLORTERM', 'NO_COLOR', 'TZ']
const DEFAULT_WARN_AT = 0.8
const DEFAULT_APPROVAL_TIMEOUT_MS = 600_000
/** POSIX, and glibc's own. */
const LOCALE_VARIABLES = ['ALL', 'ADDRESS', 'COLLATE', 'CTYPE', 'IDENTIFICATION', 'MEASUREMENT', 'MESSAGES', 'MONETARY', 'NAME', 'NUMERIC',
  'PAPER', 'TELEPHONE', 'TIME'].map((name) => `LC_${name}`)
const PROFILE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/

const readNamed = async (folder: string, name: string | undefined): Promise<ReadProfile | null> => {
  if (name === undefined) return readProfileFile(join(folder, 'default.yaml'), 'user')
  if (!PROFILE_NAME.test(name)) {
    throw new HoldfastError('profile-invalid', `"${name.slice(0, 100)}" is not a profile's name: letters, digits, . _ and - only.`)
  }
  const found = await readProfileFile(join(folder, `${name}.yaml`), 'user')
  if (found !== null) return found
  const names = (await readdir(folder).catch(() => [])).filter((file) => file.endsWith('.yaml')).map((file) => file.slice(0, -5))
  const known = names.length === 0 ? `${folder} holds none` : `there are: ${names.sort().slice(0, 20).join(', ')}`
  throw new HoldfastError('profile-invalid', `There is no profile "${name}"; ${known}.`, { at: { file: join(folder, `${name}.yaml`) } })
}

const DAY_MS = 86_400_000
const MIB = 1024 ** 2

const checkpointLimits = (user: ProfileFile['checkpoints']): CheckpointLimits => ({
  maxAgeMs: user?.keepDays === undefined ? DEFAULT_CHECKPOINT_LIMITS.maxAgeMs : user.keepDays * DAY_MS,
  maxBytes: user?.maxMiB === undefined ? DEFAULT_CHECKPOINT_LIMITS.maxBytes : user.maxMiB * MIB,
})

const slug = (text: string): string => text.toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '')

const derivedName = (command: readonly string[], cwd: string): string => {
  const name = `${slug(basename(command[0] ?? '')) || 'agent'}-${slug(basename(cwd)) || 'root'}`
  return name.slice(0, 64).replace(/-+$/, '')
}

const expandNames = (names: readonly string[]): string[] => [
  ...new Set(names.flatMap((name) => (name === 'LC_*' ? LOCALE_VARIABLES : [name]))),
]

const lower = (left: number | undefined, right: number | undefined): number | null => {
  if (left === undefined) return right ?? null
  return right === undefined ? left : Math.min(left, right)
}

const limitsOf = (user: ProfileFile['limits'], project: ProfileFile['limits']): ProfileLimits => ({
  spendUsd: lower(user?.spendUsd, project?.spendUsd),
  tokens: lower(user?.tokens, project?.tokens),
  modelRequests: lower(user?.modelRequests, project?.modelRequests),
  modelMinutes: lower(user?.modelMinutes, project?.modelMinutes),
  shared: [...(user?.shared ?? []), ...(project?.shared ?? [])],
  warnAt: lower(user?.warnAt, project?.warnAt) ?? DEFAULT_WARN_AT,
  atCap: user?.atCap ?? 'refuse',
  tokensPerMinute: lower(user?.tokensPerMinute, project?.tokensPerMinute),
  toolCallsPerMinute: lower(user?.toolCallsPerMinute, project?.toolCallsPerMinute),
  toolCallsPerHour: lower(user?.toolCallsPerHour, project?.toolCallsPerHour),
  modelRequestsPerMinute: lower(user?.modelRequestsPerMinute, project?.modelRequestsPerMinute),
  modelRequestsPerHour: lower(user?.modelRequestsPerHour, project?.modelRequestsPerHour),
  sameCallPerHour: lower(user?.sameCallPerHour, project?.sameCallPerHour),
  rates: [...(user?.rates ?? []), ...(project?.rates ?? [])],
  overLimit: OverLimit.options[Math.max(...[user, project].map((limits) => OverLimit.options.indexOf(limits?.overLimit ?? 'wait')))] ?? 'pause',
  approvalTimeoutMs: Math.min(user?.approvalTimeoutMs ?? DEFAULT_APPROVAL_TIMEOUT_MS, project?.approvalTimeoutMs ?? Infinity),
  reviewEvery: reviewOf(user?.reviewEvery, project?.reviewEvery),
})

type Review = NonNullable<ProfileFile['limits']>['reviewEvery']

const reviewOf = (user: Review, project: Review): ProfileLimits['reviewEvery'] => {
  if (user === undefined || project === undefined) return user ?? project ?? null
  return {
    minutes: lower(user.minutes, project.minutes) ?? undefined,
    calls: lower(user.calls, project.calls) ?? undefined,
    usd: lower(user.usd, project.usd) ?? undefined,
  }
}

const DEFAULT_NETWORK: NetworkMode = 'allowlist'
const tighterNetwork = (one: NetworkMode, other: NetworkMode): NetworkMode =>
  NetworkMode.options.indexOf(one) < NetworkMode.options.indexOf(other) ? one : other

/** A project may name a program of yours; which file that is, is not its word. */
const bareCommand = (command: readonly string[] | undefined): readonly string[] | undefined =>
  command === undefined || /[/\\]/.test(command[0] ?? '') ? undefined : command

const YOURS = 'put it into a profile of your own'

/** What a project's file asks for and does not get. */
const noticesOf = (project: ReadProfile, envPass: readonly string[], modelKey: string, baseUrl: string | null): string[] => {
  const { profile, path } = project
  const notices: string[] = []
  const refused = (field: string, hint: string) => notices.push(`${path}: ${field} does not count, as a project may only tighten; ${hint}`)
  const extra = expandNames(profile.env?.pass ?? []).filter((name) => !envPass.includes(name))
  if (extra.length > 0) refused(`env.pass (${extra.join(', ')})`, YOURS)
  if (profile.model?.key !== undefined && profile.model.key !== modelKey) refused('model.key', YOURS)
  if (profile.model?.baseUrl !== undefined && profile.model.baseUrl !== baseUrl) refused('model.baseUrl', YOURS)
  if (profile.identity?.git !== undefined) {
    notices.push(`${path}: identity.git does not count, as a project may not say who its agent is; ${YOURS}`)
  }
  if (profile.servers !== undefined) {
    notices.push(`${path}: servers are not used, as they would run outside every container; ${YOURS}`)
  }
  if (profile.command !== undefined && bareCommand(profile.command) === undefined) refused(`command (${profile.command[0]})`, 'name a program that is on your PATH')
  if (profile.network === 'open') refused('network: open', YOURS)
  if (profile.record !== undefined) refused('record', YOURS)
  if (profile.limits?.atCap !== undefined) refused('limits.atCap', YOURS)
  if (profile.checkpoints !== undefined) refused('checkpoints', YOURS)
  if (profile.sandbox === 'off') refused('sandbox: off', 'run with --no-sandbox yourself')
  if (profile.policy?.recoverable === 'allow') refused('policy.recoverable: allow', YOURS)
  if ((profile.policy?.allow?.length ?? 0) > 0) refused('policy.allow', 'its rules lift no question')
  return notices
}

/**
 * Reads the user's profile and the project's `holdfast.yaml`, and puts them together: the project's may only tighten.
 * With neither file there is a built-in default. Throws HoldfastError `profile-invalid`, saying file, line, column,
 * field and what would be valid; nothing of a broken file is used.
 */
export const loadProfile = async ({ cwd, configFolder, name, command, draft }: LoadProfileParams): Promise<AgentProfile> => {
  const folder = join(configFolder, 'profiles')
  const user = draft === undefined ? await readNamed(folder, name) : parseProfileText(join(folder, `${name ?? 'draft'}.yaml`), 'user', draft)
  const project = await readProfileFile(join(cwd, 'holdfast.yaml'), 'project')
  const mine = user?.profile ?? {}
  const theirs = project?.profile ?? {}
  const runs = command.length > 0 ? command : (mine.command ?? bareCommand(theirs.command) ?? DEFAULT_COMMAND)
  const allowed = expandNames(mine.env?.pass ?? DEFAULT_ENV_PASS)
  const wanted = theirs.env?.pass
  const modelKey = mine.model?.key ?? DEFAULT_MODEL_KEY
  const modelBaseUrl = mine.model?.baseUrl ?? null
  const serversFrom = mine.servers === undefined ? project : user
  const servers = serversFrom?.profile.servers
  return {
    agent: mine.agent ?? theirs.agent ?? derivedName(runs, cwd),
    agentOrigin: mine.agent === undefined ? 'project' : 'user',
    command: runs,
    envPass: wanted === undefined ? allowed : expandNames(wanted).filter((variable) => allowed.includes(variable)),
    identity: mine.identity ?? null,
    modelKey,
    modelBaseUrl,
    servers: servers === undefined || serversFrom === null
      ? null
      : { value: servers, origin: serversFrom === user ? 'user' : 'project', folder: dirname(serversFrom.path) },
    policy: { layers: [BUILT_IN_LAYER, ...(user === null ? [] : [user.layer]), ...(project === null ? [] : [project.layer])] },
    recoverable: theirs.policy?.recoverable === 'ask' ? 'ask' : (mine.policy?.recoverable ?? 'ask'),
    limits: limitsOf(mine.limits, theirs.limits),
    checkpoints: checkpointLimits(mine.checkpoints),
    sandbox: mine.sandbox ?? 'auto',
    record: { inputs: mine.record?.inputs ?? 'full', results: mine.record?.results ?? 'hashed' },
    pauseOn: [...new Set([...(mine.alarms?.pause ?? []), ...(theirs.alarms?.pause ?? [])])],
    network: tighterNetwork(mine.network ?? DEFAULT_NETWORK, theirs.network ?? mine.network ?? DEFAULT_NETWORK),
    notices: project === null ? [] : noticesOf(project, allowed, modelKey, modelBaseUrl),
  }
}
