import { z } from 'zod'
import { AlarmRule } from './ledger.ts'
import { ActionClass, type PolicyEffect } from './tool-call.ts'

const line = z.string().min(1).max(1_000).regex(/^[^\p{Cc}]*$/u, 'one line, without control characters')
const rules = z.array(line).max(1_000)
const count = z.number().int().positive().max(Number.MAX_SAFE_INTEGER)

/** An agent's own identity: part of file names and of commit trailers, so letters, digits, `.`, `_` and `-`. */
export const AgentName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'small letters, digits, . _ and -, starting with a letter or digit, at most 64')

/** `LC_*` stands for all of the locale's variables. */
const EnvName = z.string().regex(/^([A-Za-z_][A-Za-z0-9_]{0,254}|LC_\*)$/, 'the name of an environment variable, or LC_*')

const SecretReference = z
  .string()
  .max(200)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._@-]*(\/[A-Za-z0-9][A-Za-z0-9._@-]*)*$/, 'the name of a keychain item, such as agent/anthropic')

/**
 * What of the network a session's own processes reach: the model alone; also hosts that rules name, the package
 * registries of the project's tools, and what a person allows; or everything, unseen.
 */
export const NetworkMode = z.enum(['gateway', 'allowlist', 'open'])
export type NetworkMode = z.infer<typeof NetworkMode>

export const RecordMode = z.enum(['full', 'hashed', 'off'])
export type RecordMode = z.infer<typeof RecordMode>

/** What of model requests and their answers goes to a file of the user's, beside the audit log. */
export const RequestLogMode = z.enum(['full', 'headers', 'off'])
export type RequestLogMode = z.infer<typeof RequestLogMode>

export const CloudProvider = z.enum(['bedrock'])
const CloudRegion = z.string().max(40).regex(/^[a-z]{2}(-[a-z]+)+-\d{1,2}$/, 'is no region, such as eu-west-1')

/** From the mildest to the strictest. */
export const OverLimit = z.enum(['wait', 'ask', 'pause'])
export type OverLimit = z.infer<typeof OverLimit>

/** US dollars per million tokens. */
const price = z.number().nonnegative().max(1_000_000).multipleOf(0.000001)
/** What the user pays for a model, where it is not what the price table says. Cached input costs as other input where nothing else is said. */
export const OwnPrice = z.strictObject({
  input: price,
  output: price,
  cacheRead: price.optional(),
  cacheWrite5m: price.optional(),
  cacheWrite1h: price.optional(),
  /** US dollars per search that the provider runs. */
  webSearch: price.optional(),
})
export type OwnPrice = z.infer<typeof OwnPrice>

const dollars = z.number().nonnegative().max(1_000_000)
const caps = {
  spendUsd: dollars.optional(),
  tokens: count.optional(),
  modelRequests: count.optional(),
  /** Of the time that model requests take. */
  modelMinutes: z.number().positive().max(1_000_000).optional(),
}

/** Caps that sessions share: those of an agent, those in a project, or all of them, in a day or month of this machine's calendar. */
export const SharedCap = z.strictObject({ of: z.enum(['agent', 'project', 'all']), per: z.enum(['day', 'month']), ...caps })
export type SharedCap = z.infer<typeof SharedCap>

/**
 * What happens at a cap, beside the question to a person whether to raise it: the request is refused, it waits for the
 * answer, the session is paused, or it is ended.
 */
export const AtCap = z.enum(['refuse', 'wait', 'pause', 'end'])
export type AtCap = z.infer<typeof AtCap>

/** `holdfast.yaml` in a project, and `profiles/*.yaml` in the user's config folder. Every key may be left out. */
export const ProfileFile = z.strictObject({
  agent: AgentName.optional(),
  command: z.array(z.string().min(1).max(65_536)).min(1).max(1_024).optional(),
  identity: z
    .strictObject({
      git: z.strictObject({ name: line, email: line, sign: z.boolean().optional() }).optional(),
    })
    .optional(),
  env: z.strictObject({ pass: z.array(EnvName).max(1_000).optional() }).optional(),
  model: z
    .strictObject({
      key: SecretReference.optional(),
      baseUrl: z.url({ protocol: /^https?$/ }).max(2_000).optional(),
      prices: z.record(line, OwnPrice).optional(),
      /** The provider is told the agent's id in the request's own field for it too, where the agent left that empty. */
      nameAgent: z.boolean().optional(),
      /** The cloud that serves the model, where it is not the agent's own provider. */
      provider: CloudProvider.optional(),
      region: CloudRegion.optional(),
    })
    .superRefine(({ provider, region }, context) => {
      if (provider !== undefined && region === undefined) context.addIssue({ code: 'custom', path: ['region'], message: `a model of ${provider} needs a region, such as eu-west-1` })
      if (provider === undefined && region !== undefined) context.addIssue({ code: 'custom', path: ['region'], message: 'a region is of a provider: bedrock' })
    })
    .optional(),
  /** A path from the file's own folder, or the servers by name, as under `mcpServers`. */
  servers: z.union([line, z.record(line, z.unknown())]).optional(),
  policy: z
    .strictObject({
      deny: rules.optional(),
      ask: rules.optional(),
      allow: rules.optional(),
      /** `allow` lets a destructive call pass when a checkpoint of that moment holds all that it destroys. */
      recoverable: z.enum(['ask', 'allow']).optional(),
    })
    .optional(),
  limits: z
    .strictObject({
      ...caps,
      shared: z.array(SharedCap).max(20).optional(),
      /** The share of a cap at which a person is warned. */
      warnAt: z.number().positive().max(1).optional(),
      atCap: AtCap.optional(),
      tokensPerMinute: count.optional(),
      toolCallsPerMinute: count.optional(),
      toolCallsPerHour: count.optional(),
      modelRequestsPerMinute: count.optional(),
      modelRequestsPerHour: count.optional(),
      /** How often the very same tool call may come in an hour. */
      sameCallPerHour: count.optional(),
      /** Limits of their own for a class, a tool (a `*` at its end stands for several), or both. */
      rates: z
        .array(z.strictObject({ class: ActionClass.optional(), tool: line.optional(), perMinute: count.optional(), perHour: count.optional() }))
        .max(50)
        .optional(),
      /** What happens over a limit: the action waits for its place, a person is asked, or the session pauses. Model requests are never asked about: for them `ask` is `pause`. */
      overLimit: OverLimit.optional(),
      approvalTimeoutMs: count.max(86_400_000).optional(),
      reviewEvery: z
        .strictObject({ minutes: z.number().positive().max(100_000).optional(), calls: count.optional(), usd: z.number().positive().optional() })
        .optional(),
    })
    .optional(),
  /** How long checkpoints of the folders it works in are kept, and how much room those of one folder may take. */
  checkpoints: z.strictObject({ keepDays: z.number().positive().max(36_500).optional(), maxMiB: count.max(100_000_000).optional() }).optional(),
  sandbox: z.enum(['auto', 'off']).optional(),
  network: NetworkMode.optional(),
  /** What the audit log keeps of tools' inputs and results: whole, their hash and size, or nothing; and what a file beside it keeps of model requests. */
  record: z.strictObject({ inputs: RecordMode.optional(), results: RecordMode.optional(), requests: RequestLogMode.optional() }).optional(),
  /** Which alarms pause the session. */
  alarms: z.strictObject({ pause: z.array(AlarmRule).max(20).optional() }).optional(),
})
export type ProfileFile = z.infer<typeof ProfileFile>

/** Rules for one session alone, given where it is started. */
export const SessionRules = z.strictObject({ deny: rules.optional(), ask: rules.optional(), allow: rules.optional() })
export type SessionRules = z.infer<typeof SessionRules>

/** A profile of the user's, as its file stands. */
export const ProfileListing = z.object({
  name: z.string(),
  path: z.string(),
  /** null when it names none, or cannot be read. */
  agent: z.string().nullable(),
  text: z.string().nullable(),
  /** SHA-256 of the whole text, which a change of it must name; null where it cannot be read. */
  hash: z.string().nullable(),
  /** Why no session starts with it; null when it is valid. */
  problem: z.string().nullable(),
})
export type ProfileListing = z.infer<typeof ProfileListing>

/** One rule of a policy, in Claude Code's syntax: `Tool`, `Tool(prefix:*)`, `Tool(glob)`, `mcp__server__tool`, `mcp__server`. */
export interface PolicyRule {
  readonly text: string
  readonly tool: string
  /** What stands in the parentheses, or null when the rule is for the whole tool. */
  readonly specifier: string | null
}

/** A rule with its effect, and where it stands: `built-in`, or `file:line`. */
export interface SourcedRule {
  readonly rule: PolicyRule
  readonly effect: PolicyEffect
  readonly source: string
}

/** Rules of one origin. A project's layer may only tighten, and an organisation's too: their allow rules lift nothing. A session's are those of the person who started it. */
export interface PolicyLayer {
  readonly origin: 'built-in' | 'organisation' | 'user' | 'project' | 'session'
  readonly rules: readonly SourcedRule[]
}

export interface Policy {
  readonly layers: readonly PolicyLayer[]
}
