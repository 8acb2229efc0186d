import { createHash } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { HoldfastError } from '../../contract/errors.ts'
import type { SessionId } from '../../contract/ids.ts'
import { isCapped } from '../../domain/budget-account.ts'
import { createBudgetMeter } from '../../domain/budget-meter.ts'
import { withOwnPrices } from '../../domain/price.ts'
import { passesEnv } from '../../domain/env-pass.ts'
import { canonicalJson } from '../../domain/ledger-chain.ts'
import type { AgentAdapter, AgentLaunch } from '../agents/adapter.ts'
import { createAskProgram } from '../agents/ask-program.ts'
import type { BrokerSession } from '../broker/create-broker.ts'
import type { ServerHold } from '../broker/server-container.ts'
import type { Urgency } from '../broker/upstream-process.ts'
import { guardFiles, type GuardedFiles } from '../containers/guarded-files.ts'
import { toolFolders } from '../containers/tool-folders.ts'
import { capsOf } from '../budgets/shared-totals.ts'
import { openSessionIdentity } from '../identity/session-identity.ts'
import { recordedCommand } from '../ledger/recording.ts'
import { DEFAULT_MODEL_KEY, recordedProfile } from '../policy/agent-profile.ts'
import type { CheckpointLimits, Container, KillProof } from '../ports.ts'
import { findGit, requireTrusted } from '../program-trust.ts'
import { loadServers } from './load-servers.ts'
import { wasAllKilledSince } from './kill-note.ts'
import { planServerNetworks } from './server-network.ts'
import { openProxy, planNetwork } from './session-network.ts'
import { agentHome, agentNameIn, createSessionFolder, createToken, removeSessionFolder, resolveWorkingFolder } from './session-folder.ts'
import { watchSessionRepositories, type SessionRepositories } from './session-repositories.ts'
import { serverNotices } from './session-notices.ts'
import { keyResolver, openCloud } from './model-key.ts'
import { serveAgent } from './serve-agent.ts'
import type { LiveSession, SessionLauncher, SessionLauncherDeps } from './session-launcher.ts'
import { startingSession } from './starting-session.ts'

const NO_SERVERS: KillProof = { killed: 0, survivors: [], durationMs: 0 }

/** The adapter for a command: the first that knows it. */
export const adapterFor = (adapters: readonly AgentAdapter[], command: readonly string[]): AgentAdapter => {
  const adapter = adapters.find((one) => one.matches(command))
  if (adapter === undefined) throw new HoldfastError('agent-not-found', 'No adapter fits this command.')
  return adapter
}

export const createSessionLauncher = (deps: SessionLauncherDeps): SessionLauncher => {
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
    const live: { -readonly [Key in 'launching' | 'container' | 'profile' | 'agentId' | 'signed' | 'cwd' | 'homeAt' | 'ownFigures']: LiveSession[Key] } & Pick<LiveSession, 'id' | 'revoked'> = {
      id,
      get revoked() {
        return over.signal.aborted
      },
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

    const run = async (): Promise<Container> => {
      const cwd = await resolveWorkingFolder(params.cwd, deps.paths)
      const profile = await deps.resolveProfile({ cwd, command: params.command, profile: params.profile, rules: params.rules })
      const { provider, kind } = await deps.chooseContainer(params.sandbox === 'off' ? 'off' : profile.sandbox)
      const adapter = adapterFor(deps.adapters, profile.command)
      const modelKey = profile.modelKey === DEFAULT_MODEL_KEY ? adapter.modelKey : profile.modelKey
      const resolveKey = await keyResolver(deps.secrets, profile, modelKey)
      const firstKey = await resolveKey()
      const hasModelKey = firstKey !== null
      const cloud = openCloud(profile, adapter, firstKey, deps.clock.now())
      const env = Object.fromEntries(Object.entries(params.env).filter(([name]) => passesEnv(profile.envPass, name)))
      const home = agentHome(deps.paths, profile, cwd)
      // Only namespaces show a folder elsewhere than where it is, and what is at the user's home is the user's.
      const homeAt = kind === 'linux' ? homedir() : home
      folder = await createSessionFolder(deps.paths, id)
      const brokerSocket = join(folder, 'broker.sock')
      const baseUrl = deps.agentServer.baseUrlFor(token)
      const way = planNetwork(deps.agentServer.port, profile.network, kind)
      const identity = await openSessionIdentity(deps, { sessionId: id, agentName: agentNameIn(profile, cwd), profile, folder, baseUrl })
      // What is passed on to the agent is not for our own program.
      const shimEnv = { HOLDFAST_BROKER_SOCKET: brokerSocket, HOLDFAST_SESSION_TOKEN: token, NODE_OPTIONS: '', LD_PRELOAD: '' }
      const prepared: AgentLaunch = await adapter.prepare({
        sessionId: id,
        agent: profile.agent,
        command: profile.command,
        cwd,
        env,
        interactive: params.terminal !== null,
        baseUrl,
        hasModelKey,
        cloud: profile.cloud,
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
      const priceTable = withOwnPrices(deps.priceTable, profile.prices)
      const meter = createBudgetMeter({ caps: capsOf(limits), priceTable, warnAt: limits.warnAt, shared, line: deps.totals.line })
      Object.assign(live, { cwd, profile, agentId: identity.agentId, signed: identity.isSigned ? identity.signer.signed : null, homeAt })
      const session = startingSession({
        id,
        profile,
        adapter: adapter.id,
        cwd,
        container: kind,
        startedAt: deps.clock.now(),
        modelKey,
        firstKey,
        requestLog: profile.requestLog === 'off' ? null : deps.requestLogs.fileOf(id),
        doubts,
        unsigned: identity.problem,
      })
      stopIfOver()
      const profileText = canonicalJson(profile)
      deps.ledger.append('session/started', id, {
        agent: profile.agent,
        adapter: adapter.id,
        command: recordedCommand(profile.record.inputs, profile.command),
        cwd,
        container: kind,
        network: way.mode,
        profile: { ...recordedProfile(profile), command: recordedCommand(profile.record.inputs, profile.command) },
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
        unwatched: [deps.paths.data],
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
      const upstreamBaseUrl = profile.modelBaseUrl ?? cloud?.baseUrl ?? adapter.modelBaseUrl
      const proxy = way.mode === 'allowlist' ? await openProxy(deps.egress, { sessionId: id, cwd, modelUrls: [upstreamBaseUrl, adapter.modelBaseUrl], prepared, signal: over.signal }) : null
      const { network, figures } = serveAgent(deps, {
        sessionId: id,
        token,
        cwd,
        profile,
        adapter,
        identity,
        meter,
        priceTable,
        resolveKey,
        upstreamBaseUrl,
        cloud,
        way: { ...way, proxy },
        signal: over.signal,
      })
      live.ownFigures = figures
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
    return Object.assign(live, { launched, revoke, close, killServers: async () => (await broker?.close('at-once')) ?? NO_SERVERS })
  }

  return { launch }
}
