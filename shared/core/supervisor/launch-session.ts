import { createHash } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { HoldfastError } from '../../contract/errors.ts'
import type { SessionRules } from '../../contract/schemas/profile.ts'
import type { AgentId, SessionId } from '../../contract/ids.ts'
import type { CommandParams } from '../../contract/protocol.ts'
import type { AlarmRule } from '../../contract/schemas/ledger.ts'
import type { Session } from '../../contract/schemas/session.ts'
import type { PolicyDecision } from '../../contract/schemas/tool-call.ts'
import { NO_TOKENS, type Usage } from '../../contract/schemas/usage.ts'
import { isCapped } from '../../domain/budget-account.ts'
import { createBudgetMeter } from '../../domain/budget-meter.ts'
import { passesEnv } from '../../domain/env-pass.ts'
import { canonicalJson } from '../../domain/ledger-chain.ts'
import type { PriceTable } from '../../domain/price.ts'
import type { AgentAdapter, AgentLaunch } from '../agents/adapter.ts'
import { createAskProgram } from '../agents/ask-program.ts'
import type { Broker, BrokerSession } from '../broker/create-broker.ts'
import type { ServerHold } from '../broker/server-container.ts'
import type { Urgency } from '../broker/upstream-process.ts'
import type { ContainerChoice } from '../containers/choose.ts'
import { guardFiles, type GuardedFiles } from '../containers/guarded-files.ts'
import { toolFolders } from '../containers/tool-folders.ts'
import { isSubscriptionKey } from '../gateway/forward-headers.ts'
import type { Gateway, GatewaySession } from '../gateway/gateway.ts'
import { watchHooks, type HookWindow } from '../gateway/hook-window.ts'
import { createToolUseGuard, type ToolUseGuard } from '../gateway/tool-use-guard.ts'
import { capsOf, type SharedTotals } from '../budgets/shared-totals.ts'
import type { CommitSigner } from '../identity/commit-signer.ts'
import { openSessionIdentity, type SessionIdentityDeps } from '../identity/session-identity.ts'
import type { Paths } from '../paths.ts'
import { DEFAULT_MODEL_KEY, recordedProfile, type AgentProfile } from '../policy/agent-profile.ts'
import type { CheckpointLimits, CheckpointStore, Clock, Container, ContainerSpec, IdSource, KillProof, Ledger, SecretStore, ToolCallGate } from '../ports.ts'
import { findGit, requireTrusted } from '../program-trust.ts'
import type { AgentRoutes, AgentServer } from '../transports/agent-server.ts'
import type { Egress } from '../egress/egress.ts'
import { loadServers } from './load-servers.ts'
import { wasAllKilledSince } from './kill-note.ts'
import { createOwnFigures, type OwnFigures } from './own-figures.ts'
import { planServerNetworks } from './server-network.ts'
import { openProxy, planNetwork, type NetworkPlan } from './session-network.ts'
import { agentHome, agentNameIn, createSessionFolder, createToken, removeSessionFolder, resolveWorkingFolder } from './session-folder.ts'
import { watchSessionRepositories, type SessionRepositories } from './session-repositories.ts'
import { serverNotices, startNotices } from './session-notices.ts'
import type { SessionRegistry } from './session-registry.ts'

/** A session from the moment it has an id until nothing of it is left. */
export interface LiveSession {
  readonly id: SessionId
  /** Resolves when its command runs; rejects with HoldfastError when it does not come to that. Then nothing of it is left. */
  readonly launched: Promise<Container>
  /** Whether its command may have begun to run: before that there is nothing to end, and after `revoke` there never is. */
  readonly launching: boolean
  readonly container: Container | null
  readonly profile: AgentProfile | null
  readonly agentId: AgentId | null
  /** SHA-256 of what it had signed; null where its commits are not. */
  readonly signed: ReadonlySet<string> | null
  readonly cwd: string | null
  /** The agent's home as the agent sees it. */
  readonly homeAt: string | null
  readonly revoked: boolean
  /** What its agent says it used, beside what passed the gateway; null before it runs. */
  readonly ownFigures: OwnFigures | null
  /** Its tokens open nothing from now on, and what it waits for is withdrawn. */
  revoke(): void
  /** Ends its MCP servers at once. */
  killServers(): Promise<KillProof>
  /** Ends its servers and removes its folder. */
  close(urgency: Urgency): Promise<void>
}

export interface SessionLauncher {
  launch(params: CommandParams<'session/start'>): LiveSession
}

export interface SessionLauncherDeps extends SessionIdentityDeps {
  readonly paths: Paths
  readonly clock: Clock
  readonly ids: IdSource
  readonly ledger: Ledger
  readonly registry: SessionRegistry
  readonly checkpoints: CheckpointStore
  readonly secrets: SecretStore
  readonly priceTable: PriceTable
  readonly gateway: Gateway
  readonly totals: SharedTotals
  readonly gate: ToolCallGate
  readonly broker: Broker
  readonly agentServer: AgentServer
  readonly egress: Egress
  /** What policy says of a call, without asking anybody; null when the session is not running. */
  readonly judge: (sessionId: SessionId, tool: string, input: unknown) => PolicyDecision | null
  readonly adapters: readonly AgentAdapter[]
  readonly resolveProfile: (params: { cwd: string; command: readonly string[]; profile?: string | undefined; rules?: SessionRules | undefined }) => Promise<AgentProfile>
  /** Throws HoldfastError `container-unavailable`, saying what is missing and how to get it. */
  readonly chooseContainer: (sandbox: 'auto' | 'off') => Promise<ContainerChoice>
  readonly raiseAlarm: (sessionId: SessionId, message: string, rule?: AlarmRule) => void
  /** What a person has to say to a session's agent, once. */
  readonly takeMessage: (sessionId: SessionId) => string | null
  /** The session does what it should not: tells of it, and resolves when it is paused, or cannot be. */
  readonly onTampering: (sessionId: SessionId, message: string) => Promise<void>
  /** The program that relays MCP between the agent and the broker. */
  readonly shimFile: string
  /** The program that watches for git repositories that the agent makes. */
  readonly repositoryWatcherFile: string
}

const NO_SERVERS: KillProof = { killed: 0, survivors: [], durationMs: 0 }

const NO_USAGE: Usage = { billing: null, byModel: [], tokens: NO_TOKENS, requests: 0, costMicroUsd: 0, hasUnknownPrice: false, capMicroUsd: null }

const microUsd = (usd: number | null): number | null => (usd === null ? null : Math.round(usd * 1_000_000))

/** The adapter for a command: the first that knows it. */
export const adapterFor = (adapters: readonly AgentAdapter[], command: readonly string[]): AgentAdapter => {
  const adapter = adapters.find((one) => one.matches(command))
  if (adapter === undefined) throw new HoldfastError('agent-not-found', 'No adapter fits this command.')
  return adapter
}

export const createSessionLauncher = (deps: SessionLauncherDeps): SessionLauncher => {
  /** The key for model requests: from the keychain, or null when the agent signs in with a subscription of its own. */
  const keyResolver = async (profile: AgentProfile, key: string): Promise<() => Promise<string | null>> => {
    const required = profile.modelKey !== DEFAULT_MODEL_KEY
    const first = await deps.secrets.get(key, profile.agent).catch((error: unknown) => {
      if (required) throw error
      return null
    })
    if (first === null) {
      if (required) throw new HoldfastError('secret-unavailable', `The profile names the key ${key}, and the keychain has none of that name. Keep it with: holdfast secret set ${key}`)
      return () => Promise.resolve(null)
    }
    return async () => {
      const value = await deps.secrets.get(key, profile.agent)
      if (value === null) throw new HoldfastError('secret-unavailable', `The key ${key} is no longer in the keychain.`)
      return value
    }
  }

  /** Keeps the folders as they are; without that, the session does not start. */
  const keepStart = async (sessionId: SessionId, root: string, extraRoots: readonly string[], limits: CheckpointLimits): Promise<void> => {
    const kept = await deps.checkpoints.create({ sessionId, root, extraRoots, reason: 'start', limits }).catch((error: unknown) => {
      if (!(error instanceof HoldfastError)) throw error
      throw new HoldfastError(error.code, `${error.message} Nothing was started. To start all the same, with nothing to put back later: holdfast run --no-checkpoint`, { cause: error })
    })
    deps.ledger.append('checkpoint/created', sessionId, { checkpointId: kept.id, reason: 'start', files: kept.fileCount, leftOut: kept.leftOut.length })
    deps.registry.apply(sessionId, { type: 'checkpointed', checkpoint: kept.id })
  }

  const launch: SessionLauncher['launch'] = (params) => {
    const id = deps.ids.session()
    const beganAt = deps.clock.now()
    const token = createToken()
    const over = new AbortController()
    const live: { launching: boolean; container: Container | null; profile: AgentProfile | null; agentId: AgentId | null; signed: ReadonlySet<string> | null; cwd: string | null; homeAt: string | null; ownFigures: OwnFigures | null } = {
      launching: false,
      container: null,
      profile: null,
      agentId: null,
      signed: null,
      cwd: null,
      homeAt: null,
      ownFigures: null,
    }
    let broker: BrokerSession | null = null
    let folder: string | null = null
    let guarded: GuardedFiles | null = null
    let repositories: SessionRepositories | null = null

    const revoke = (): void => {
      over.abort()
      deps.agentServer.revoke(token)
    }
    const close = async (urgency: Urgency): Promise<void> => {
      await broker?.close(urgency)
      guarded?.release()
      guarded = null
      await repositories?.close()
      if (folder !== null) await removeSessionFolder(folder)
    }
    const stopIfOver = (): void => {
      if (wasAllKilledSince(deps.paths.killFiles, beganAt, deps.clock.now())) revoke()
      if (over.signal.aborted) throw new HoldfastError('illegal-state', `Session ${id} was killed while it started.`)
    }

    /** From now on the session is served; gives the network that leads there. */
    const admit = (adapter: AgentAdapter, signer: CommitSigner, gatewaySession: GatewaySession & { readonly guard: ToolUseGuard; readonly window: HookWindow; readonly figures: OwnFigures }, way: NetworkPlan & { readonly proxy: AgentRoutes['proxy'] }): ContainerSpec['network'] => {
      const hooks = adapter.createHookHandler()
      const routes: AgentRoutes = {
        hook: (path, body, gone) => {
          if (hooks === null) throw new Error('this agent has no hooks')
          const signal = AbortSignal.any([gone, over.signal])
          return hooks.handle(path, body, { sessionId: id, gate: deps.gate, guard: gatewaySession.guard, window: gatewaySession.window, told: gatewaySession.figures.told, signal, raiseAlarm: (message) => deps.raiseAlarm(id, message, 'hooks'), takeMessage: () => deps.takeMessage(id) })
        },
        model: (request, response, path) => deps.gateway.handle(gatewaySession, request, response, path),
        sign: (payload) => signer.sign(payload),
        proxy: way.proxy,
        onFlood: () => deps.raiseAlarm(id, 'The session sends more hooks than any agent does: calls beyond that are blocked.', 'hooks'),
      }
      if (way.mode !== 'open') return { port: deps.agentServer.port, listen: deps.agentServer.admitApart(token, routes) }
      deps.agentServer.admit(token, routes)
      return 'open'
    }

    const run = async (): Promise<Container> => {
      const cwd = await resolveWorkingFolder(params.cwd, deps.paths)
      const profile = await deps.resolveProfile({ cwd, command: params.command, profile: params.profile, rules: params.rules })
      const { provider, kind } = await deps.chooseContainer(params.sandbox === 'off' ? 'off' : profile.sandbox)
      const adapter = adapterFor(deps.adapters, profile.command)
      const modelKey = profile.modelKey === DEFAULT_MODEL_KEY ? adapter.modelKey : profile.modelKey
      const resolveKey = await keyResolver(profile, modelKey)
      const firstKey = await resolveKey()
      const hasModelKey = firstKey !== null
      const env = Object.fromEntries(Object.entries(params.env).filter(([name]) => passesEnv(profile.envPass, name)))
      const home = agentHome(deps.paths, profile, cwd)
      // Only namespaces show a folder elsewhere than where it is, and what is at the user's home is the user's.
      const homeAt = kind === 'linux' ? homedir() : home
      folder = await createSessionFolder(deps.paths, id)
      const brokerSocket = join(folder, 'broker.sock')
      const baseUrl = deps.agentServer.baseUrlFor(token)
      const way = planNetwork(deps.agentServer.port, profile.network, kind)
      const identity = await openSessionIdentity(deps, { sessionId: id, agentName: agentNameIn(profile, cwd), profile, folder, baseUrl })
      const shimEnv = { HOLDFAST_BROKER_SOCKET: brokerSocket, HOLDFAST_SESSION_TOKEN: token }
      const prepared: AgentLaunch = await adapter.prepare({
        sessionId: id,
        agent: profile.agent,
        command: profile.command,
        cwd,
        env,
        interactive: params.terminal !== null,
        baseUrl,
        hasModelKey,
        isCapped: [capsOf(profile.limits), ...profile.limits.shared.map(capsOf)].some(isCapped),
        home,
        homeAt,
        folder,
        resolveFolder: (extra) => resolveWorkingFolder(extra, deps.paths),
        ask: createAskProgram(provider),
        pinnedEnv: { ...way.env, ...identity.env },
        shim: { file: process.execPath, args: [deps.shimFile], env: shimEnv },
      })
      const git = findGit(process.env['PATH'] ?? '')
      const programs = [prepared.file, process.execPath, deps.shimFile, ...(git === null ? [] : [git])]
      const doubts = (await Promise.all(programs.map(requireTrusted))).flat()
      await mkdir(home, { recursive: true, mode: 0o700 })
      const { limits } = profile
      const shared = deps.totals.accountsOf({ agent: profile.agent, project: cwd }, limits)
      const meter = createBudgetMeter({ caps: capsOf(limits), priceTable: deps.priceTable, warnAt: limits.warnAt, shared })
      Object.assign(live, { cwd, profile, agentId: identity.agentId, signed: identity.isSigned ? identity.signer.signed : null, homeAt })
      const session: Session = {
        id,
        agent: profile.agent,
        adapter: adapter.id,
        command: [...profile.command],
        cwd,
        state: 'starting',
        container: kind,
        startedAt: deps.clock.now(),
        endedAt: null,
        exitCode: null,
        reason: null,
        startCheckpoint: null,
        notices: startNotices({
          container: kind,
          isSeen: adapter.id !== 'none',
          modelKey,
          hasModelKey,
          isSubscription: isSubscriptionKey(firstKey),
          doubts,
          unsigned: identity.problem,
        }),
        waitingApprovals: 0,
        toolCalls: { total: 0, read: 0, write: 0, destructive: 0, denied: 0 },
        usage: { ...NO_USAGE, capMicroUsd: microUsd(profile.limits.spendUsd) },
      }
      stopIfOver()
      const profileText = canonicalJson(profile)
      deps.ledger.append('session/started', id, {
        agent: profile.agent,
        adapter: adapter.id,
        command: [...profile.command],
        cwd,
        container: kind,
        network: way.mode,
        profile: recordedProfile(profile),
        profileHash: createHash('sha256').update(profileText).digest('hex'),
        modelKey: hasModelKey ? modelKey : null,
        agentId: identity.agentId,
      })
      deps.registry.add(session)
      const writable = [cwd, ...prepared.writable]
      const tools = await toolFolders(env['PATH'] ?? '', { home: homedir(), apart: [...writable, home] })
      repositories = watchSessionRepositories({
        program: deps.repositoryWatcherFile,
        roots: writable,
        onTampering: (message) => deps.onTampering(id, message),
        raiseAlarm: (message) => deps.raiseAlarm(id, message),
        notice: (notice) => deps.registry.apply(id, { type: 'noticed', notice }),
        hasStarted: () => live.launching,
      })
      if (params.checkpoint !== 'off') await keepStart(id, cwd, prepared.writable, profile.checkpoints)
      const found = await repositories.found
      stopIfOver()
      guarded = guardFiles(writable, found)
      await repositories.guard(guarded.repositories)
      const hold: ServerHold = { launch: (spec) => provider.launch({ ...spec, requireStart: stopIfOver }), homeAt: kind === 'off' ? null : homeAt, guarded, networkFor: planServerNetworks({ egress: deps.egress, sessionId: id, way, signal: over.signal }) }
      broker = await deps.broker.openSession({ sessionId: id, agent: profile.agent, proof: identity.proof, cwd, hold, token, servers: await loadServers(profile), socketPath: brokerSocket })
      void broker.started.then(() => {
        for (const notice of serverNotices(broker?.servers() ?? [])) deps.registry.apply(id, { type: 'noticed', notice })
      })
      const upstreamBaseUrl = profile.modelBaseUrl ?? adapter.modelBaseUrl
      const proxy = way.mode === 'allowlist' ? await openProxy(deps.egress, { sessionId: id, cwd, modelUrls: [upstreamBaseUrl, adapter.modelBaseUrl], prepared, signal: over.signal }) : null
      const alone = createToolUseGuard({
        sessionId: id,
        gate: deps.gate,
        judge: (tool, input) => deps.judge(id, tool, input)?.effect ?? null,
        isBrokered: adapter.isBrokered,
        canonical: (tool, input) => adapter.canonical(tool, input, cwd),
        onTampering: (message) => void deps.onTampering(id, message),
        raiseAlarm: (message) => deps.raiseAlarm(id, message, 'hooks'),
      })
      const { guard, window } = watchHooks(alone, {
        isBrokered: adapter.isBrokered,
        isRunning: () => deps.registry.get(id).state === 'running',
        onMissed: () => void deps.onTampering(id, 'A tool call of the model was not reported by the agent’s hooks: they are switched off, or something posed as the agent. Every call is now asked about before the agent has it.'),
      })
      over.signal.addEventListener('abort', window.close, { once: true })
      const figures = createOwnFigures({
        readResult: adapter.readResult?.(profile.command) ?? null,
        record: (compared) => void deps.ledger.append('usage/compared', id, { ...compared }),
        raiseAlarm: (message) => deps.raiseAlarm(id, message, 'usage'),
      })
      live.ownFigures = figures
      const network = admit(adapter, identity.signer, { sessionId: id, agent: profile.agent, agentId: identity.agentId, proof: identity.proof, project: cwd, upstreamBaseUrl, meter, resolveKey, guard, window, figures, isNetworkOpen: way.mode === 'open' }, { ...way, proxy })
      stopIfOver()
      live.launching = true
      const container = await provider.launch({
        sessionId: id,
        file: prepared.file,
        args: prepared.args,
        cwd,
        env: { ...env, ...way.env, ...identity.env, ...prepared.env, HOME: homeAt },
        terminal: params.terminal,
        writable: [...writable, ...guarded.writable],
        readable: [folder, process.execPath, deps.shimFile, deps.gitSignerFile, ...tools, ...prepared.readable, ...guarded.readable],
        network,
        hidden: [deps.paths.config, deps.paths.data, deps.paths.killFiles],
        home,
        homeAt,
        killFile: join(deps.paths.killFiles, `${id}.json`),
        requireStart: stopIfOver,
      })
      live.container = container
      deps.registry.apply(id, { type: 'launched' })
      return container
    }

    /** Takes back what was begun, so that nothing half-made is left. */
    const fail = async (error: unknown): Promise<never> => {
      revoke()
      await close('at-once').catch(() => undefined)
      throw error
    }

    const launched = run().catch(fail)
    launched.catch(() => undefined)
    return {
      id,
      launched,
      get launching() {
        return live.launching
      },
      get container() {
        return live.container
      },
      get profile() {
        return live.profile
      },
      get agentId() {
        return live.agentId
      },
      get signed() {
        return live.signed
      },
      get cwd() {
        return live.cwd
      },
      get homeAt() {
        return live.homeAt
      },
      get ownFigures() {
        return live.ownFigures
      },
      get revoked() {
        return over.signal.aborted
      },
      revoke,
      killServers: async () => (await broker?.close('at-once')) ?? NO_SERVERS,
      close,
    }
  }

  return { launch }
}
