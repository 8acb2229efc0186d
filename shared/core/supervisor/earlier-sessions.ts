import { readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import { SessionId } from '../../contract/ids.ts'
import type { LedgerEntry, LedgerKind } from '../../contract/schemas/ledger.ts'
import { ContainerKind, QUIET_MINUTE, type Session } from '../../contract/schemas/session.ts'
import { NO_TOKENS } from '../../contract/schemas/usage.ts'
import { adoptContainer } from '../containers/adopted.ts'
import { createGrip, killByFile } from '../containers/grip.ts'
import { readKillFile, removeKillFile, type KillFile } from '../containers/kill-file.ts'
import type { Paths } from '../paths.ts'
import type { CheckpointStore, Clock, Container, Ledger, LedgerPage } from '../ports.ts'
import type { Alarms } from './alarms.ts'
import { takeKillNote } from './kill-note.ts'
import type { LiveSession } from './session-launcher.ts'
import { removeSessionFolder } from './session-folder.ts'
import type { SessionRegistry } from './session-registry.ts'

/** How long what dies with its host may take to be gone, in ms. */
const DYING_MS = 1_000

export interface EarlierSessionsDeps {
  readonly paths: Paths
  readonly clock: Clock
  readonly ledger: Ledger
  readonly registry: SessionRegistry
  readonly checkpoints: CheckpointStore
  readonly alarms: Alarms
  /** Takes on a session that can be killed, and nothing else. */
  readonly adopt: (session: LiveSession & { readonly container: Container }) => void
  readonly log: (line: string) => void
}

const Started = z.object({ agent: z.string(), adapter: z.string(), command: z.array(z.string()), cwd: z.string(), container: ContainerKind })

/**
 * What an earlier host left when it did not end in order. A session that outlived it is frozen at once, and shown as
 * paused: nobody judges its calls any more, so it cannot be resumed, only killed, with its changes put back or kept. One
 * that died with its host is shown and recorded as ended, or as killed where a client did that meanwhile; its checkpoints
 * can be restored. MCP servers that were left are ended.
 */
export const takeOverSessions = async (deps: EarlierSessionsDeps): Promise<void> => {
  const { paths, ledger, log } = deps
  const left = readdirSync(paths.killFiles)
  for (const name of [...left].filter((one) => /^ses_\w+\..+\.json$/.test(one))) await endServer(join(paths.killFiles, name)).catch((error: unknown) => log(`kill file ${name}: ${String(error)}`))
  const ids = new Set([...left.map((name) => basename(name, '.json')), ...readdirSync(paths.sessions)].flatMap((name) => SessionId.safeParse(name).data ?? []))
  for (const id of ids) {
    try {
      await takeOver(id)
    } catch (error) {
      log(`session ${id} of an earlier host: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  async function takeOver(id: SessionId): Promise<void> {
    const file = join(paths.killFiles, `${id}.json`)
    const handle = readKillFile(file)
    const alive = handle === null ? 0 : await freeze(handle)
    const session = await describe(id, handle)
    if (handle !== null && alive > 0) holdOrphan(session, handle, file, alive)
    else await close(session, file)
  }

  function holdOrphan(session: Session, handle: KillFile, file: string, alive: number): void {
    const { id, cwd } = session
    const reason = `It outlived its host and is frozen. Put its changes back: holdfast kill ${id}, or keep them: holdfast kill ${id} --keep-changes`
    const container = adoptContainer(handle, file)
    const live = { launching: true, profile: null, agentId: null, signed: null, homeAt: null, ownFigures: null, revoked: true, revoke: () => undefined, killServers: async () => ({ killed: 0, survivors: [], durationMs: 0 }) }
    deps.registry.add({ ...session, state: 'paused', reason })
    deps.adopt({ ...live, id, cwd, container, launched: Promise.resolve(container), close: () => removeSessionFolder(join(paths.sessions, id)) })
    ledger.append('session/paused', id, { reason, processes: alive })
    deps.alarms.raise(id, `Session ${id}: ${reason}`)
  }

  async function close(session: Session, file: string): Promise<void> {
    const { id, agent, startedAt } = session
    const note = await takeKillNote(paths.killFiles, id)
    if (find(id, 'session/started') !== null && find(id, 'session/ended', 'session/killed') === null) {
      for (const { kind, body } of note?.entries ?? []) ledger.append(kind, id, body)
      const reason = note === null ? 'its host ended without a word, and it with it' : 'killed by the user, without its host'
      if (note === null) ledger.append('session/ended', id, { exitCode: null, signal: null, reason, agent, startedAt })
      else ledger.append('session/killed', id, { ...note.outcome, reason, agent, startedAt })
      deps.registry.add({ ...session, state: note === null ? 'failed' : 'killed', endedAt: deps.clock.now(), exitCode: note === null ? null : 137, reason })
      deps.checkpoints.mark({ sessionId: id, state: 'over' }).catch(() => undefined)
    }
    removeKillFile(file)
    await removeSessionFolder(join(paths.sessions, id))
  }

  /** The session's first entry of these kinds. */
  function find(sessionId: SessionId, ...kinds: LedgerKind[]): LedgerEntry | null {
    for (let after: number | null = 0; after !== null; ) {
      const page: LedgerPage = ledger.read({ after, limit: 1, sessionId, kinds })
      if (page.entries[0] !== undefined) return page.entries[0]
      after = page.next
    }
    return null
  }

  /** What is known of it now. What it used was counted by its host, and is not known any more. */
  async function describe(id: SessionId, handle: KillFile | null): Promise<Session> {
    const entry = find(id, 'session/started')
    const started = Started.safeParse(entry?.body).data ?? { agent: 'unknown', adapter: 'none', command: [], cwd: handle?.cwd ?? '/', container: handle?.kind ?? 'off' }
    const start = (await deps.checkpoints.list(id).catch(() => [])).find(({ reason }) => reason === 'start')
    return {
      ...started,
      ...{ id, state: 'paused', startedAt: entry?.at ?? deps.clock.now(), endedAt: null, exitCode: null, reason: null },
      startCheckpoint: start?.id ?? null,
      notices: [],
      waitingApprovals: 0,
      toolCalls: { total: 0, read: 0, write: 0, destructive: 0, denied: 0 },
      usage: { billing: null, byModel: [], tokens: NO_TOKENS, requests: 0, costMicroUsd: 0, hasUnknownPrice: true, capMicroUsd: null },
      lastMinute: QUIET_MINUTE,
    }
  }
}

/** Ends it, and removes its kill file once it is empty. */
const endServer = async (file: string): Promise<void> => {
  if ((await killByFile(file)).survivors.length === 0) removeKillFile(file)
}

/** Nothing of it runs when this resolves. How many processes stay: those that die with their host are given the time. */
const freeze = async (handle: KillFile): Promise<number> => {
  const grip = createGrip(handle)
  await grip.freeze()
  for (const deadline = performance.now() + DYING_MS; ; await delay(20)) {
    const alive = grip.processes().length
    if (alive === 0 || performance.now() > deadline) return alive
  }
}
