import type { SessionId } from '../../contract/ids.ts'
import type { HookWindow } from '../gateway/hook-window.ts'
import type { ToolUseGuard } from '../gateway/tool-use-guard.ts'
import type { ToolCallGate } from '../ports.ts'
import type { UsageFigures, UsageSource } from '../../domain/usage-check.ts'
import type { AgentProfile } from '../policy/agent-profile.ts'
import type { AskProgram } from './ask-program.ts'
import type { Canonical } from './canonical-call.ts'

/** What an adapter may know of the session it prepares. All paths absolute. */
export interface LaunchContext {
  readonly sessionId: SessionId
  readonly agent: string
  readonly command: readonly string[]
  readonly cwd: string
  /** Variables of the viewer's shell that passed the allowlist. */
  readonly env: Readonly<Record<string, string>>
  /** Whether the command has a terminal. */
  readonly interactive: boolean
  /** Loopback address that carries the session's token; model requests and hooks go below it. */
  readonly baseUrl: string
  /** True when the gateway puts in a key; false when the agent signs in with a subscription of its own. */
  readonly hasModelKey: boolean
  /** Whether a cap stops the session: then a request's worst case must stay small. */
  readonly isCapped: boolean
  /** The cloud that serves its model, whose requests it is to make; never set for an agent that cannot. */
  readonly cloud: AgentProfile['cloud']
  /** The agent's home, where it is on this machine and where the agent sees it. */
  readonly home: string
  readonly homeAt: string
  /** A folder the agent may read and not write, for what it is configured with. */
  readonly folder: string
  /** A further folder that the user gives the agent, resolved; throws HoldfastError where it may not have it. */
  readonly resolveFolder: (folder: string) => Promise<string>
  /** How a program is asked about itself, its version above all: held as the session will be. */
  readonly ask: AskProgram
  /** Variables of the launch that no settings of the agent's may change, as far as the adapter can hold them. */
  readonly pinnedEnv: Readonly<Record<string, string>>
  /** How to start the shim that speaks MCP to the broker: file and arguments. */
  readonly shim: { readonly file: string; readonly args: readonly string[]; readonly env: Readonly<Record<string, string>> }
}

/** What to start, and what it must be able to read to start. */
export interface AgentLaunch {
  readonly file: string
  readonly args: readonly string[]
  /** Joins the passed variables; wins over them. */
  readonly env: Readonly<Record<string, string>>
  readonly readable: readonly string[]
  /** Folders beside the working folder that the user gave the agent, each from `resolveFolder`. */
  readonly writable: readonly string[]
  /** Hosts that the agent's own sign-in needs; empty when it holds none of its own. */
  readonly signInHosts: readonly string[]
  /** Whether it has to sign in first: then the model's host may be asked for, which else is behind the gateway alone. */
  readonly isSignedOut: boolean
  /** Hosts it turns to for itself alone, to update or to report: refused without a question, unless a rule allows them. */
  readonly housekeepingHosts: readonly string[]
}

export interface HookContext {
  readonly sessionId: SessionId
  readonly gate: ToolCallGate
  readonly signal: AbortSignal
  /** The gateway's side of the same calls. */
  readonly guard: ToolUseGuard
  /** What waits for the hooks of the calls that were given to the agent; none where nothing is. */
  readonly window?: HookWindow
  readonly raiseAlarm: (message: string) => void
  /** Takes what the agent says it used. */
  readonly told: (conversation: string, source: UsageSource, figures: UsageFigures) => void
  /** What a person has to say to the agent, once; null when nothing. */
  readonly takeMessage: () => string | null
}

/** Answers the hook calls of one session. */
export interface HookHandler {
  /** `path` is what follows `/hook/`. Returns the JSON to answer; throws to have the call blocked. */
  handle(path: string, body: unknown, context: HookContext): Promise<unknown>
}

/** How one kind of agent is launched and wired. */
export interface AgentAdapter {
  /** `claude-code`, or `none` for a command whose single tool calls are not seen. */
  readonly id: string
  /** The keychain item of its model's key, and where its model is, when the profile does not say. */
  readonly modelKey: string
  readonly modelBaseUrl: string
  /** Whether it can make the requests of a cloud, and be kept to them. */
  readonly usesClouds?: true
  matches(command: readonly string[]): boolean
  /** Throws HoldfastError `agent-not-found` or `agent-refused`. Writes only into `folder` and the agent's home. */
  prepare(context: LaunchContext): Promise<AgentLaunch>
  createHookHandler(): HookHandler | null
  /** What a line of the command's output says that it used; null for a command whose output says nothing of it. */
  readonly readResult?: (command: readonly string[]) => ((line: string) => { readonly conversation: string; readonly figures: UsageFigures } | null) | null
  /** Whether a tool of this name is one that the broker offers. */
  isBrokered(tool: string): boolean
  /** A call as the model makes it, under the name that rules know. */
  readonly canonical: Canonical
}
