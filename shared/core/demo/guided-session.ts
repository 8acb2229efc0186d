import { existsSync, watch } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import type { ApprovalRequest } from '../../contract/schemas/approval.ts'
import type { KillReport, Session } from '../../contract/schemas/session.ts'
import type { ToolCall } from '../../contract/schemas/tool-call.ts'
import { pickEnv } from '../../domain/env-pass.ts'
import { claudeCode } from '../agents/claude-code/claude-code.ts'
import { createAskProgram } from '../agents/ask-program.ts'
import { requireVersion } from '../agents/claude-code/version.ts'
import { findExecutable, foldersToSearch } from '../agents/find-executable.ts'
import { containersFor } from '../containers/choose.ts'
import { createHost } from '../create-host.ts'
import { systemClock } from '../identifiers.ts'
import { resolvePaths } from '../paths.ts'
import { connectLocal } from '../transports/local-socket-client.ts'
import { guidedScript, HEARTBEAT_FILE } from './guided-script.ts'
import { createMemorySecrets } from './memory-secrets.ts'
import { createScratchProject, fingerprint } from './scratch-project.ts'
import { createScriptedAgentAdapter, SCRIPTED_AGENT_COMMAND } from './scripted-agent.ts'
import { startStandInModel } from './stand-in-model.ts'

/** The key of the stand-in model; it opens nothing else. */
const KEY = 'guided-session-key'
const KEY_NAME = 'agent/guided-session'
const PROMPT = 'Tidy this project.'

/** What the session shows, and what it asks of whoever watches. */
export interface GuidedAudience {
  /** The agent is about to start; `scripted` when Claude Code is not installed. */
  begins(agent: { scripted: boolean; version: string | null; container: string; project: string }): void
  agentSays(text: string): void
  toolCall(call: ToolCall): void
  cost(session: Session): void
  /** A destructive call waits. Resolves with the answer. */
  answer(request: ApprovalRequest): Promise<'approve' | 'deny'>
  /** The last call runs, and would for ever. Resolves when the session is to be killed. */
  killSwitch(): Promise<void>
}

export interface GuidedResult {
  readonly calls: number
  readonly held: number
  readonly denied: number
  readonly session: Session
  readonly kill: KillReport
  readonly restored: boolean
  readonly undone: boolean
  readonly ledger: { readonly ok: boolean; readonly entries: number }
}

const findClaude = async (path: string, plainInit: string): Promise<{ version: string } | null> => {
  const folders = await foldersToSearch(path, [])
  const file = await findExecutable('claude', folders, '/')
  if (file === null) return null
  const { contained, uncontained } = containersFor(process.platform, plainInit)
  const provider = (await contained.unavailable()) === null ? contained : uncontained
  return requireVersion(createAskProgram(provider), file, folders.join(delimiter)).then((version) => ({ version }), () => null)
}

/** Resolves once the file is there. */
const appears = (folder: string, name: string, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const watcher = watch(folder, { signal }, () => {
      if (existsSync(join(folder, name))) watcher.close()
    })
    watcher.once('close', resolve)
    if (existsSync(join(folder, name))) watcher.close()
  })

/**
 * A session from start to kill on a scratch project, with a host of its own in this process and a model that is a
 * script, so that neither a key nor a network is needed. The agent is the real Claude Code where it is installed.
 */
export const runGuidedSession = async (params: {
  audience: GuidedAudience
  environment: NodeJS.ProcessEnv
  programs: { shim: string; plainInit: string; repositoryWatcher: string; gitSigner: string; ledgerSender: string; pages: string; demoAgent: string }
}): Promise<GuidedResult> => {
  const { audience, environment, programs } = params
  const path = environment['PATH'] ?? ''
  const scratch = await mkdtemp(join(tmpdir(), 'holdfast-'))
  const project = join(scratch, 'project')
  const paths = resolvePaths({ HOLDFAST_HOME: join(scratch, 'home') })
  const model = await startStandInModel({ script: guidedScript(project), expectKey: KEY })
  try {
    await createScratchProject(project, path)
    await mkdir(paths.profiles, { recursive: true, mode: 0o700 })
    await writeFile(
      join(paths.profiles, 'guided.yaml'),
      `agent: guided\nmodel: { key: ${KEY_NAME}, baseUrl: "${model.baseUrl}" }\nlimits: { spendUsd: 1 }\n`,
    )
    const claude = await findClaude(path, programs.plainInit)
    const command = claude === null ? [SCRIPTED_AGENT_COMMAND, PROMPT] : ['claude', '-p', PROMPT]
    const before = await fingerprint(project, path)
    const host = await createHost({
      paths,
      clock: systemClock,
      secrets: createMemorySecrets(systemClock, { [KEY_NAME]: KEY }),
      ledgerKeys: createMemorySecrets(systemClock, {}),
      agentKeys: createMemorySecrets(systemClock, {}),
      environment,
      programs,
      adapters: claude === null ? [createScriptedAgentAdapter(programs.demoAgent)] : [claudeCode],
      log: () => undefined,
    })
    try {
      const client = await connectLocal(host.endpoint, 'guided-session')
      const over = new AbortController()
      const problems: unknown[] = []
      client.on('session/output', ({ stream, data }) => {
        const text = Buffer.from(data, 'base64').toString('utf8').trim()
        if (text !== '' && stream !== 'stderr') audience.agentSays(text)
      })
      client.on('tool-call/changed', (call) => audience.toolCall(call))
      client.on('session/changed', (session) => {
        if (session.state === 'running') audience.cost(session)
        if (session.state === 'ended' || session.state === 'failed') over.abort()
      })
      let held = 0
      client.on('approval/changed', (request) => {
        if (request.state !== 'waiting') return
        held += 1
        const { id: approvalId, bindingHash } = request
        audience
          .answer(request)
          .then((answer) => client.call('approval/decide', { approvalId, bindingHash, answer, scope: 'once', reason: answer === 'deny' ? 'Keep the source folder.' : 'Go on.' }))
          .catch((error: unknown) => problems.push(error))
      })
      await client.call('event/subscribe', {})
      const resolved = await client.call('profile/resolve', { cwd: project, command, profile: 'guided' })
      const env = pickEnv(resolved.envNames, environment)
      const started = await client.call('session/start', { cwd: project, command, profile: 'guided', env, terminal: null, sandbox: 'auto' })
      audience.begins({ scripted: claude === null, version: claude?.version ?? null, container: started.container, project })
      await client.call('session/end-input', { sessionId: started.id })
      await appears(project, HEARTBEAT_FILE, over.signal)
      if (problems.length > 0) throw problems[0]
      await audience.killSwitch()
      const { reports } = await client.call('session/kill', { sessionIds: 'all', keepChanges: false })
      const kill = reports[0]
      if (kill === undefined) throw new Error('The agent ended before it could be killed.')
      const restored = (await fingerprint(project, path)) === before
      await client.call('session/undo', { sessionId: started.id })
      const undone = existsSync(join(project, 'NOTES.md'))
      const { sessions } = await client.call('session/list', {})
      const session = sessions.find(({ id }) => id === started.id) ?? started
      const ledger = await client.call('ledger/verify', {})
      return { calls: session.toolCalls.total, held, denied: session.toolCalls.denied, session, kill, restored, undone, ledger }
    } finally {
      await host.stop()
    }
  } finally {
    await model.close()
    await rm(scratch, { recursive: true, force: true })
  }
}
