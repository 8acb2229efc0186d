import { readdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { HoldfastError } from '../../contract/errors.ts'
import { NetworkMode, OverLimit, type ProfileFile, type SessionRules } from '../../contract/schemas/profile.ts'
import { DEFAULT_CHECKPOINT_LIMITS } from '../../domain/checkpoint-retention.ts'
import { BUILT_IN_LAYER } from '../../domain/policy-evaluate.ts'
import { type AgentProfile, DEFAULT_MODEL_KEY, type ProfileLimits } from './agent-profile.ts'
import { parseProfileText, type ReadProfile } from '../../domain/profile-text.ts'
import { sessionLayer } from '../../domain/session-rules.ts'
import type { CheckpointLimits } from '../ports.ts'
import { readProfileFile } from './read-profile-file.ts'

/** What an organisation lays down for all agents of a machine: rules that deny or ask, limits, network, alarms. Only root writes there. */
export const ORGANISATION_FILE = '/etc/holdfast/holdfast.yaml'

export interface LoadProfileParams {
  /** The project's folder, absolute. */
  readonly cwd: string
  /** The user's config folder, which holds `profiles/`. */
  readonly configFolder: string
  /** The profile asked for by name; without it `default` is taken where there is one. */
  readonly name?: string | undefined
  /** Where the organisation's file is, if not where every host looks. */
  readonly organisationFile?: string
  /** The command to run; when empty, the profile's. */
  readonly command: readonly string[]
  /** Rules for the one session that is started. */
  readonly sessionRules?: SessionRules | undefined
  /** Takes the place of the text of the named profile, to try it out. */
  readonly draft?: string | undefined
  /** Takes the place of the text of the project's file. */
  readonly projectDraft?: string | undefined
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

type Limits = NonNullable<ProfileFile['limits']>

/** The lowest of those that are there. */
const lowest = (values: readonly (number | undefined)[]): number | null => {
  const given = values.filter((value) => value !== undefined)
  return given.length === 0 ? null : Math.min(...given)
}

/** Of all files that may only tighten each other: of each limit the lowest, of what is over one the strictest. */
const limitsOf = (files: readonly Limits[]): ProfileLimits => {
  const of = (field: 'spendUsd' | 'tokens' | 'modelRequests' | 'modelMinutes' | 'tokensPerMinute' | 'warnAt' | 'toolCallsPerMinute' | 'toolCallsPerHour' | 'modelRequestsPerMinute' | 'modelRequestsPerHour' | 'sameCallPerHour' | 'approvalTimeoutMs'): number | null =>
    lowest(files.map((limits) => limits[field]))
  const overLimit = Math.max(0, ...files.map((limits) => OverLimit.options.indexOf(limits.overLimit ?? 'wait')))
  return {
    spendUsd: of('spendUsd'),
    tokens: of('tokens'),
    modelRequests: of('modelRequests'),
    modelMinutes: of('modelMinutes'),
    shared: files.flatMap((limits) => limits.shared ?? []),
    warnAt: of('warnAt') ?? DEFAULT_WARN_AT,
    // The user's word alone, whose file is the first.
    atCap: files[0]?.atCap ?? 'refuse',
    tokensPerMinute: of('tokensPerMinute'),
    toolCallsPerMinute: of('toolCallsPerMinute'),
    toolCallsPerHour: of('toolCallsPerHour'),
    modelRequestsPerMinute: of('modelRequestsPerMinute'),
    modelRequestsPerHour: of('modelRequestsPerHour'),
    sameCallPerHour: of('sameCallPerHour'),
    rates: files.flatMap((limits) => limits.rates ?? []),
    overLimit: OverLimit.options[overLimit] ?? 'pause',
    approvalTimeoutMs: of('approvalTimeoutMs') ?? DEFAULT_APPROVAL_TIMEOUT_MS,
    reviewEvery: reviewOf(files.flatMap((limits) => limits.reviewEvery ?? [])),
  }
}

const reviewOf = (reviews: readonly NonNullable<Limits['reviewEvery']>[]): ProfileLimits['reviewEvery'] => {
  if (reviews.length === 0) return null
  const of = (field: 'minutes' | 'calls' | 'usd'): number | undefined => lowest(reviews.map((review) => review[field])) ?? undefined
  return { minutes: of('minutes'), calls: of('calls'), usd: of('usd') }
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
  if (profile.model?.prices !== undefined) refused('model.prices', YOURS)
  if (profile.model?.nameAgent !== undefined) refused('model.nameAgent', YOURS)
  if (profile.model?.provider !== undefined) refused('model.provider', YOURS)
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
 * Reads the user's profile, the project's `holdfast.yaml` and the organisation's file, and puts them together: the latter
 * two may only tighten. With none of them there is a built-in default. Throws HoldfastError `profile-invalid`, saying file, line, column,
 * field and what would be valid; nothing of a broken file is used.
 */
export const loadProfile = async ({ cwd, configFolder, name, command, draft, projectDraft, sessionRules, organisationFile = ORGANISATION_FILE }: LoadProfileParams): Promise<AgentProfile> => {
  const folder = join(configFolder, 'profiles')
  const user = draft === undefined ? await readNamed(folder, name) : parseProfileText(join(folder, `${name ?? 'draft'}.yaml`), 'user', draft)
  const projectFile = join(cwd, 'holdfast.yaml')
  const project = projectDraft === undefined ? await readProfileFile(projectFile, 'project') : parseProfileText(projectFile, 'project', projectDraft)
  const organisation = await readProfileFile(organisationFile, 'organisation')
  const mine = user?.profile ?? {}
  const tighter = [organisation?.profile ?? {}, project?.profile ?? {}]
  const theirs = project?.profile ?? {}
  const runs = command.length > 0 ? command : (mine.command ?? bareCommand(theirs.command) ?? DEFAULT_COMMAND)
  const allowed = expandNames(mine.env?.pass ?? DEFAULT_ENV_PASS)
  const wanted = theirs.env?.pass
  const { provider, region } = mine.model ?? {}
  const cloud = provider === undefined || region === undefined ? null : { provider, region }
  // Never the default: a key of Anthropic's is nothing for a cloud to see.
  const modelKey = mine.model?.key ?? (cloud === null ? DEFAULT_MODEL_KEY : `agent/${cloud.provider}`)
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
    cloud,
    prices: mine.model?.prices ?? {},
    namesAgent: mine.model?.nameAgent ?? false,
    servers: servers === undefined || serversFrom === null
      ? null
      : { value: servers, origin: serversFrom === user ? 'user' : 'project', folder: dirname(serversFrom.path) },
    policy: { layers: [BUILT_IN_LAYER, ...[organisation, user, project].flatMap((file) => file?.layer ?? []), ...(sessionRules === undefined ? [] : [sessionLayer(sessionRules)])] },
    recoverable: tighter.some((file) => file.policy?.recoverable === 'ask') ? 'ask' : (mine.policy?.recoverable ?? 'ask'),
    limits: limitsOf([{ ...mine.limits, approvalTimeoutMs: mine.limits?.approvalTimeoutMs ?? DEFAULT_APPROVAL_TIMEOUT_MS }, ...tighter.flatMap((file) => file.limits ?? [])]),
    checkpoints: checkpointLimits(mine.checkpoints),
    sandbox: mine.sandbox ?? 'auto',
    record: { inputs: mine.record?.inputs ?? 'full', results: mine.record?.results ?? 'hashed' },
    requestLog: mine.record?.requests ?? 'off',
    pauseOn: [...new Set([mine, ...tighter].flatMap((file) => file.alarms?.pause ?? []))],
    network: tighter.reduce((mode, file) => tighterNetwork(mode, file.network ?? mode), mine.network ?? DEFAULT_NETWORK),
    notices: project === null ? [] : noticesOf(project, allowed, modelKey, modelBaseUrl),
  }
}
