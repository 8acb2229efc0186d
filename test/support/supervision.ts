import { PassThrough } from 'node:stream'
import { HoldfastError } from '../../shared/contract/errors.ts'
import type { SessionId } from '../../shared/contract/ids.ts'
import type { RestoreReport } from '../../shared/contract/schemas/checkpoint.ts'
import { QUIET_MINUTE, type Session } from '../../shared/contract/schemas/session.ts'
import { NO_TOKENS } from '../../shared/contract/schemas/usage.ts'
import { createApprovals } from '../../shared/core/approvals/approvals.ts'
import type { AgentProfile, ProfileLimits } from '../../shared/core/policy/agent-profile.ts'
import type { CheckpointStore, Container, ContainerExit } from '../../shared/core/ports.ts'
import { createAlarms } from '../../shared/core/supervisor/alarms.ts'
import type { LiveSession } from '../../shared/core/supervisor/session-launcher.ts'
import { createSessionMessages } from '../../shared/core/supervisor/session-messages.ts'
import { createPace } from '../../shared/core/supervisor/pace.ts'
import { createReviewPoint } from '../../shared/core/supervisor/review-point.ts'
import { createSessionRegistry } from '../../shared/core/supervisor/session-registry.ts'
import type { SessionEndDeps } from '../../shared/core/supervisor/session-end.ts'
import { createSupervisor } from '../../shared/core/supervisor/supervisor.ts'
import { createToolCallGate } from '../../shared/core/supervisor/tool-call-gate.ts'
import type { SessionViewer } from '../../shared/core/supervisor/viewer.ts'
import { createClock, createMemoryLedger, decisionOf, ids } from './fakes.ts'

export const NO_LIMITS: ProfileLimits = {
  spendUsd: null,
  tokens: null,
  modelRequests: null,
  modelMinutes: null,
  shared: [],
  warnAt: 0.8,
  atCap: 'refuse',
  tokensPerMinute: null,
  toolCallsPerMinute: null,
  toolCallsPerHour: null,
  modelRequestsPerMinute: null,
  modelRequestsPerHour: null,
  sameCallPerHour: null,
  rates: [],
  overLimit: 'wait',
  approvalTimeoutMs: 60_000,
  reviewEvery: null,
}

const AGENT = ids.agent()

const profileWith = (limits: ProfileLimits): AgentProfile => ({
  agent: 'tester',
  agentOrigin: 'user',
  command: ['agent'],
  envPass: [],
  identity: null,
  modelKey: 'agent/test',
  modelBaseUrl: null,
  cloud: null,
  prices: {},
  namesAgent: false,
  servers: null,
  policy: { layers: [] },
  recoverable: 'ask',
  limits,
  checkpoints: { maxAgeMs: 1, maxBytes: 1 },
  sandbox: 'auto',
  record: { inputs: 'full', results: 'hashed' },
  requestLog: 'off',
  pauseOn: [],
  network: 'allowlist',
  notices: [],
})

export interface Behaviour {
  /** Each step of a fake waits for this: at once, unless a test wants to choose the order. */
  step: (what: string) => Promise<void>
  /** How many kills leave a process alive. */
  stubbornKills: number
  killRejects: boolean
  processesReject: boolean
  endsOnHangUp: boolean
  revertRejects: boolean
  reviewRejects: boolean
  report: Partial<RestoreReport>
  closeHangs: boolean
  serversReject: boolean
  effect: 'allow' | 'ask'
  limits: Partial<ProfileLimits>
  adapter: string
  killedElsewhere: SessionEndDeps['killedElsewhere']
}

/** A container without processes, that does what it is told and remembers it. */
export const createFakeContainer = (behaviour: Behaviour) => {
  const done: string[] = []
  const { promise: exited, resolve } = Promise.withResolvers<ContainerExit>()
  const pipes = { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough() }
  let kills = 0
  let isEmpty = false
  const empty = (): void => {
    isEmpty = true
    pipes.stdout.destroy()
    pipes.stderr.destroy()
  }
  const container: Container = {
    kind: 'plain',
    pid: 4_000_000,
    pipes,
    terminal: null,
    exited,
    freeze: () => behaviour.step('freeze').then(() => void done.push('freeze')),
    thaw: () => behaviour.step('thaw').then(() => void done.push('thaw')),
    kill: async () => {
      await behaviour.step('kill')
      done.push('kill')
      kills += 1
      if (behaviour.killRejects) throw new Error('the kill file is on a broken disk')
      if (kills <= behaviour.stubbornKills) return { killed: 1, survivors: [4_000_001], durationMs: 1 }
      const killed = isEmpty ? 0 : 1
      empty()
      resolve({ code: null, signal: 'SIGKILL' })
      return { killed, survivors: [], durationMs: 1 }
    },
    signal: (signal) => {
      done.push(signal)
      if (signal === 'SIGHUP' && behaviour.endsOnHangUp) resolve({ code: null, signal: 'SIGHUP' })
    },
    contains: () => Promise.resolve(false),
    processes: () => (behaviour.processesReject ? Promise.reject(new Error('no /proc')) : Promise.resolve(isEmpty ? [] : [4_000_001])),
  }
  return { container, done, exit: resolve, isEmpty: () => isEmpty }
}

export const createFakeViewer = () => {
  const sent: string[] = []
  let gone: (() => void)[] = []
  const viewer: SessionViewer = {
    send: (event) => void sent.push(event),
    bufferedBytes: 0,
    onDrain: () => undefined,
    onClose: (listener) => void gone.push(listener),
  }
  const hangUp = (): void => {
    for (const listener of gone.splice(0)) listener()
    gone = []
  }
  return { viewer, sent, hangUp }
}

/** A supervisor whose sessions are fakes, and everything around it real but in memory. */
export const createSupervision = (given: Partial<Behaviour> = {}) => {
  const behaviour: Behaviour = {
    step: () => Promise.resolve(),
    stubbornKills: 0,
    killRejects: false,
    processesReject: false,
    endsOnHangUp: true,
    revertRejects: false,
    reviewRejects: false,
    report: {},
    closeHangs: false,
    serversReject: false,
    effect: 'allow',
    limits: {},
    killedElsewhere: () => Promise.resolve(null),
    adapter: 'none',
    ...given,
  }
  const clock = createClock()
  const ledger = createMemoryLedger()
  const states: { id: SessionId; state: Session['state'] }[] = []
  const checkpointed: string[] = []
  const sessions: { id: SessionId; fake: ReturnType<typeof createFakeContainer>; closed: string[] }[] = []
  const registry = createSessionRegistry(({ id, state }) => void states.push({ id, state }), clock)
  const approvals = createApprovals({ clock, ids, ledger, grantsFile: '/dev/null/none', publish: () => undefined })
  const alarmsSeen: string[] = []
  const alarms = createAlarms({ ledger, publish: ({ message }) => void alarmsSeen.push(message), pause: () => undefined, log: () => undefined })
  const pace = createPace({
    clock,
    limitsOf: (id) => supervisor.liveSession(id)?.profile.limits ?? null,
    onOverLimit: (id, reason) => void supervisor.pause(id, reason).catch(() => pace.resumeSession(id)),
    onReviewDue: (id, reason) =>
      void createReviewPoint({
        supervisor,
        sessionCheckpoints: {
          has: () => Promise.resolve(true),
          create: (sessionId, why) => (behaviour.reviewRejects ? Promise.reject(new Error('the disk is full')) : checkpoints.create({ sessionId, root: '/project', reason: why })),
        },
        pace,
        alarms,
      })(id, reason),
  })
  const gate = createToolCallGate({
    trail: { wordsOf: () => null, endSession: () => undefined },
    activity: { before: () => null, after: () => undefined, recordAll: () => Promise.resolve(), endSession: () => undefined },
    clock,
    ids,
    ledger,
    approvals,
    sessionOf: (id) =>
      supervisor.liveSession(id) === null
        ? null
        : {
            agent: 'tester',
            cwd: '/project',
            home: '/home/agent',
            recoverable: 'ask',
            approvalTimeoutMs: 60_000,
            record: { inputs: 'full', results: 'hashed' },
            pace: { admit: (action, signal) => pace.admit(id, action, signal), whileActive: (signal) => pace.whileActive(id, signal) },
            evaluate: () => decisionOf(behaviour.effect, 'write'),
          },
    publish: () => undefined,
    foresee: () => null,
    onDecided: (call) => pace.counted(call.sessionId),
  })
  const report = (): RestoreReport => ({
    restoredTo: ids.checkpoint(),
    savedAs: ids.checkpoint(),
    written: ['README.md'],
    deleted: [],
    conflicts: [],
    leftAlone: [],
    refsMoved: [],
    ...behaviour.report,
  })
  const checkpoints: CheckpointStore = {
    create: async ({ sessionId, root, reason }) => {
      await behaviour.step(`checkpoint ${reason}`)
      checkpointed.push(reason)
      return { id: ids.checkpoint(), sessionId, reason, root, extraRoots: [], hasGit: true, takenAt: 0, fileCount: 1, leftOut: [], pinned: false }
    },
    list: () => Promise.resolve([]),
    revert: async () => {
      await behaviour.step('revert')
      checkpointed.push('revert')
      if (behaviour.revertRejects) throw new Error('the disk is full')
      return report()
    },
    undo: () => Promise.resolve(report()),
    diff: () => Promise.reject(new Error('not in these tests')),
    file: () => Promise.reject(new Error('not in these tests')),
    authorsAtStart: () => Promise.resolve(new Set()),
    pin: () => Promise.reject(new Error('not in these tests')),
    mark: () => Promise.resolve(null),
    look: () => Promise.resolve(null),
    changes: () => Promise.resolve(null),
    recordedDiff: () => Promise.reject(new Error('not in these tests')),
    usage: () => Promise.resolve([]),
    prune: () => Promise.resolve([]),
  }

  /** The launcher's order of steps, and its checks between them. */
  const launch = (): LiveSession => {
    const id = ids.session()
    const fake = createFakeContainer(behaviour)
    const closed: string[] = []
    sessions.push({ id, fake, closed })
    const live: { launching: boolean; container: Container | null; profile: AgentProfile | null } = { launching: false, container: null, profile: null }
    let revoked = false
    const stopIfOver = (): void => {
      if (revoked) throw new HoldfastError('illegal-state', 'it was killed while it started')
    }
    const run = async (): Promise<Container> => {
      await behaviour.step('prepare')
      stopIfOver()
      live.profile = profileWith({ ...NO_LIMITS, ...behaviour.limits })
      ledger.append('session/started', id, {
        agent: 'tester',
        adapter: behaviour.adapter,
        command: ['agent'],
        cwd: '/project',
        container: 'off',
        profile: live.profile,
        profileHash: '0'.repeat(64),
        modelKey: null,
      })
      registry.add({
        id,
        agent: 'tester',
        adapter: behaviour.adapter,
        command: ['agent'],
        cwd: '/project',
        state: 'starting',
        container: 'plain',
        startedAt: 0,
        endedAt: null,
        exitCode: null,
        reason: null,
        startCheckpoint: null,
        notices: [],
        waitingApprovals: 0,
        toolCalls: { total: 0, read: 0, write: 0, destructive: 0, denied: 0 },
        usage: { billing: null, byModel: [], tokens: NO_TOKENS, requests: 0, costMicroUsd: 0, hasUnknownPrice: false, capMicroUsd: null },
        lastMinute: QUIET_MINUTE,
      })
      const start = await checkpoints.create({ sessionId: id, root: '/project', reason: 'start' })
      registry.apply(id, { type: 'checkpointed', checkpoint: start.id })
      stopIfOver()
      live.launching = true
      await behaviour.step('launch')
      live.container = fake.container
      fake.done.push('launched')
      registry.apply(id, { type: 'launched' })
      return fake.container
    }
    const launched = run().catch((error: unknown) => {
      revoked = true
      throw error
    })
    launched.catch(() => undefined)
    return {
      id,
      launched,
      ownFigures: null,
      get launching() {
        return live.launching
      },
      get container() {
        return live.container
      },
      get profile() {
        return live.profile
      },
      cwd: '/project',
      agentId: AGENT,
      signed: null,
      homeAt: '/home/agent',
      get revoked() {
        return revoked
      },
      revoke: () => void (revoked = true),
      killServers: () => (behaviour.serversReject ? Promise.reject(new Error('a broken broker')) : Promise.resolve({ killed: 0, survivors: [], durationMs: 0 })),
      close: async (urgency) => {
        await behaviour.step('close')
        closed.push(urgency)
        if (behaviour.closeHangs) await new Promise(() => undefined)
      },
    }
  }

  const messages = createSessionMessages()
  const supervisor = createSupervisor({ clock, ledger, registry, checkpoints, gate, approvals, pace, alarms, messages, launcher: { launch }, recordChanges: () => behaviour.step('record changes'), killedElsewhere: behaviour.killedElsewhere })
  const viewer = createFakeViewer()
  const start = () => supervisor.start({ cwd: '/project', command: ['agent'], env: {}, terminal: null, sandbox: 'auto' }, viewer.viewer)
  const kindsOf = (id: SessionId): string[] => ledger.entries.filter(({ sessionId }) => sessionId === id).map(({ kind }) => kind)
  return { supervisor, messages, registry, ledger, clock, gate, pace, approvals, behaviour, checkpointed, sessions, states, alarmsSeen, viewer, start, kindsOf }
}
