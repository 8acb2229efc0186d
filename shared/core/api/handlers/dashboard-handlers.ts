import { HoldfastError } from '../../../contract/errors.ts'
import type { SessionId } from '../../../contract/ids.ts'
import type { ExplainedDecision } from '../../../contract/schemas/policy.ts'
import type { CommandName, CommandParams } from '../../../contract/protocol.ts'
import { judgeCall } from '../../../domain/judge-call.ts'
import { explainedDecision } from '../../../domain/explained-decision.ts'
import { BUILT_IN_LAYER } from '../../../domain/policy-evaluate.ts'
import { readAccepted } from '../../audit/accepted.ts'
import { audit, publicReport } from '../../audit/audit.ts'
import { readFindingKey } from '../../audit/finding-id.ts'
import type { Broker } from '../../broker/create-broker.ts'
import type { ToolPins } from '../../broker/tool-pins.ts'
import { findFolders, listFolders } from '../../folders.ts'
import type { Paths } from '../../paths.ts'
import { createProjectReader } from '../../policy/read-project-file.ts'
import type { AgentProfile } from '../../policy/agent-profile.ts'
import { loadProfile } from '../../policy/load-profile.ts'
import { createReplay } from '../../policy/replay.ts'
import type { CheckpointStore, Ledger } from '../../ports.ts'
import type { Proposals } from '../../proposals/proposals.ts'
import type { Connection, Handlers } from '../dispatcher.ts'

export interface DashboardHandlerDeps {
  readonly paths: Paths
  readonly ledger: Ledger
  readonly checkpoints: CheckpointStore
  readonly toolPins: ToolPins
  readonly broker: Broker
  readonly proposals: Proposals
  /** How a session that runs would decide a call. Throws HoldfastError `not-found`. */
  readonly explainIn: (sessionId: SessionId, tool: string, input: unknown) => ExplainedDecision
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** So many differences an answer holds, the newest; how many there are, the counts say. */
const MAX_DIFFERENCES = 200
/** Entries judged before the host sees to others. */
const ENTRIES_A_TURN = 200

type Asked = CommandParams<'policy/rules'>
type Own = Extract<CommandName, `policy/${string}` | `proposal/${string}` | 'server/tools' | 'server/block' | 'server/running' | 'checkpoint/file' | 'host/audit' | `folder/${string}`>

/** Through which shell a person's word came. */
export const shellOf = ({ role, peerPid }: Connection): string => (peerPid === null ? role : `${role}, process ${peerPid}`)

/** What the dashboard asks beyond sessions: rules tried out, changes for a person to confirm, servers, folders. */
export const createDashboardHandlers = (deps: DashboardHandlerDeps): Pick<Handlers, Own> => {
  const { paths, ledger, toolPins, broker, proposals } = deps
  const home = deps.environment['HOME'] ?? '/'
  /** Without a folder, one that holds no rules of its own. */
  const profileOf = ({ cwd = paths.data, profile, draft }: Asked): Promise<AgentProfile> => loadProfile({ cwd, configFolder: paths.config, name: profile === '' ? undefined : profile, command: [], draft })

  return {
    'policy/rules': async (asked) => {
      const { policy, notices } = await profileOf(asked)
      const layers = [BUILT_IN_LAYER, ...policy.layers.filter(({ origin }) => origin !== 'built-in')]
      return { layers: layers.map(({ origin, rules }) => ({ origin, rules: rules.map(({ rule, effect, source }) => ({ rule: rule.text, effect, source })) })), notices: [...notices] }
    },
    'policy/explain': async ({ tool, input, sessionId, ...asked }) => {
      if (sessionId !== undefined) return deps.explainIn(sessionId, tool, input)
      const { policy } = await profileOf(asked)
      return explainedDecision(policy, judgeCall({ policy, tool, input, cwd: asked.cwd ?? paths.data, home, ...(asked.cwd === undefined ? {} : { readFile: createProjectReader(asked.cwd) }) }))
    },
    'policy/replay': async ({ sessionId, ...asked }) => {
      const replay = createReplay(async (cwd) => (await profileOf({ ...asked, cwd })).policy, home)
      for (let after: number | null = 0; after !== null; ) {
        const page = ledger.read({ after, limit: ENTRIES_A_TURN, kinds: ['session/started', 'tool-call/intent', 'tool-call/decision'], ...(sessionId === undefined ? {} : { sessionId }) })
        for (const entry of page.entries) await replay.take(entry)
        after = page.next
        await new Promise(setImmediate)
      }
      const { differences, ...counts } = replay.result()
      return { ...counts, differences: differences.slice(-MAX_DIFFERENCES).reverse() }
    },
    'proposal/make': ({ change }) => proposals.make(change),
    'proposal/list': () => ({ proposals: proposals.list() }),
    'proposal/withdraw': ({ proposalId }) => proposals.withdraw(proposalId),
    'proposal/decide': ({ proposalId, hash, answer }, connection) => proposals.decide({ id: proposalId, hash, apply: answer === 'apply', via: shellOf(connection) }),
    'server/tools': ({ key }) => ({ tools: toolPins.tools(key) }),
    'server/block': ({ key, tool }) => {
      toolPins.switchTool(key, tool, false)
      return {}
    },
    'server/running': () => ({ servers: broker.running() }),
    'checkpoint/file': (asked) => deps.checkpoints.file(asked),
    'host/audit': async ({ project }) => {
      if (project !== null && !(await listFolders(project).then(() => true, () => false))) throw new HoldfastError('not-a-directory', `${project} is no folder that can be read.`)
      const { scanSecrets } = await import('../../audit/scan-secrets.ts')
      const report = publicReport(await audit({ home, project, environment: deps.environment, scan: scanSecrets, accepted: readAccepted(deps.paths.auditAccepted), key: readFindingKey(deps.paths.auditKey) }))
      return { ...report, read: report.read.length }
    },
    'folder/list': ({ path }) => listFolders(path ?? home),
    'folder/find': async ({ name, holds }) => ({ paths: await findFolders(home, name, holds) }),
  }
}
