import { readdir, realpath } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { CheckpointId, SessionId } from '../../contract/ids.ts'
import type { Checkpoint } from '../../contract/schemas/checkpoint.ts'
import type { Foresight } from '../../contract/schemas/foresight.ts'
import type { PolicyDecision } from '../../contract/schemas/tool-call.ts'
import { type ContainedEffect, containedEffect } from '../../domain/foresight/contained.ts'
import { notCovered } from '../../domain/foresight/covered.ts'
import { isWithin } from '../../domain/foresight/operands.ts'
import { touchesOf } from '../../domain/foresight/touches.ts'
import { previewOf } from './preview.ts'

export interface ForeseenCall {
  readonly sessionId: SessionId
  readonly tool: string
  readonly input: unknown
  /** The project's folder. */
  readonly cwd: string
  /** The folder that relative paths start from, absolute. */
  readonly folder: string
  /** The home folder as the agent sees it. */
  readonly home: string
  readonly decision: PolicyDecision
  readonly signal: AbortSignal
}

export interface Foreseen {
  readonly foresight: Foresight
  /** The checkpoint that holds all that the call can destroy; null where there is none. */
  readonly coveredBy: CheckpointId | null
}

/** Looks at what a call would do before a person is asked. Never rejects: what cannot be looked up is said to be so. */
export type Foresee = (call: ForeseenCall) => Promise<Foreseen>

/** A person waits for the question meanwhile, in ms. */
const MAX_LOOK_MS = 3_000

/** A name in a folder that is really where it seems: neither it nor the way to it is a link that leads out of `roots`. */
const leadsOut = async (path: string, roots: readonly string[]): Promise<boolean> => {
  const folder = await realpath(dirname(path)).catch(() => null)
  // What is in no folder is not there, and cannot be lost.
  if (folder === null) return false
  const real = await realpath(path).catch(() => join(folder, basename(path)))
  return ![join(folder, basename(path)), real].every((one) => roots.some((root) => isWithin(one, root)))
}

const hasLinkOut = async ({ paths, listed }: ContainedEffect, roots: readonly string[]): Promise<string | null> => {
  const names = await Promise.all(listed.map(async (folder) => (await readdir(folder).catch(() => [])).map((name) => join(folder, name))))
  for (const path of [...paths, ...names.flat()]) if (await leadsOut(path, roots)) return path
  return null
}

export const createForesee = (deps: {
  /** Keeps the session's folders as they are now, with its processes still; null for a session without checkpoints. */
  readonly keep: (sessionId: SessionId) => Promise<Checkpoint | null>
}): Foresee => {
  const judgeRecovery = async (call: ForeseenCall): Promise<{ covered: boolean; why: string; by: CheckpointId | null } | null> => {
    const { tool, input, cwd, folder, home, decision, sessionId } = call
    const no = (why: string) => ({ covered: false, why, by: null })
    if (decision.classification.class !== 'destructive') return null
    const effect = containedEffect({ tool, input, cwd, folder, home })
    if (effect === null) return no('what it destroys may lie outside the project, or cannot be told for sure')
    const checkpoint = await deps.keep(sessionId).catch(() => null)
    if (checkpoint === null) return no('there is no checkpoint of this moment')
    const link = await hasLinkOut(effect, [checkpoint.root, ...checkpoint.extraRoots])
    const why = link === null ? notCovered(effect, checkpoint) : `${link} leads out of the checkpoint's folders`
    return why === null ? { covered: true, why: `a checkpoint of this moment holds all of it: ${checkpoint.id}`, by: checkpoint.id } : no(why)
  }

  return async (call) => {
    const { tool, input, cwd, folder, home } = call
    const signal = AbortSignal.any([call.signal, AbortSignal.timeout(MAX_LOOK_MS)])
    const failed = { about: tool, summary: 'not computed: it could not be looked up', computed: false, lines: [], more: 0 }
    const [recovery, preview] = await Promise.all([
      judgeRecovery(call),
      previewOf({ tool, input, roots: [cwd], folder, home, signal }).catch(() => [failed]),
    ])
    const { touches, more, production } = touchesOf({ tool, input, folder, home })
    const recoverable = recovery === null ? null : { covered: recovery.covered, why: recovery.why }
    return { foresight: { touches: [...touches], moreTouches: more, production, preview, recoverable }, coveredBy: recovery?.by ?? null }
  }
}
