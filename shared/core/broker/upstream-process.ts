import type { Transport } from '@modelcontextprotocol/client'
import type { Container, KillProof } from '../ports.ts'
import { createLineTransport } from './line-transport.ts'
import type { PipeTransport } from './plain-calls.ts'

const STDIN_GRACE_MS = 1_500
const TERM_GRACE_MS = 1_500
/** How long output may still arrive after the command has ended, held open by something that it left. */
const DRAIN_MS = 250
const STDERR_TAIL = 16_384

export type Urgency = 'gently' | 'at-once'

/** A running server: in its container, or elsewhere. */
export interface UpstreamProcess {
  readonly transport: Transport | PipeTransport
  /** Resolves, never rejects, with how it ended (unredacted), once nothing of it is left. */
  readonly ended: Promise<string>
  /** The end of what it wrote to its standard error (unredacted). */
  said(): string
  /** Closes its input, then SIGTERM, then kills all of its container, each after a grace time; at once, the last alone. */
  stop(urgency: Urgency): Promise<KillProof>
}

/** Speaks to a server through its container's pipes. */
export const attachUpstreamProcess = (container: Container): UpstreamProcess => {
  const { pipes } = container
  if (pipes === null) throw new TypeError('a server has no terminal')
  const { stdin, stdout, stderr } = pipes

  let said = ''
  stderr.setEncoding('utf8').on('data', (chunk: string) => {
    said = (said + chunk).slice(-STDERR_TAIL)
  })
  const ended = container.exited.then(async ({ code, signal }) => {
    await container.kill()
    setTimeout(() => stdout.destroy(), DRAIN_MS).unref()
    const lastWords = said.trim().split('\n').at(-1)
    const end = signal === null ? `exited with code ${code}` : `was ended by ${signal}`
    return lastWords ? `${end}: ${lastWords}` : end
  })

  const endsWithin = async (ms: number): Promise<boolean> => {
    const { promise: late, resolve: giveUp } = Promise.withResolvers<false>()
    const timer = setTimeout(() => giveUp(false), ms)
    try {
      return await Promise.race([container.exited.then(() => true), late])
    } finally {
      clearTimeout(timer)
    }
  }

  return {
    // Over stdio, as the SDK knows, a server that does not answer yet is no fault.
    transport: Object.assign(createLineTransport(stdout, stdin, () => stdin.end()), { pid: container.pid, stderr: null }),
    ended,
    said: () => said,
    stop: async (urgency) => {
      if (urgency === 'gently') {
        stdin.end()
        if (!(await endsWithin(STDIN_GRACE_MS))) {
          container.signal('SIGTERM')
          await endsWithin(TERM_GRACE_MS)
        }
      }
      return container.kill()
    },
  }
}
