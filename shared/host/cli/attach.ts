import type { Client } from '../../contract/client.ts'
import { HoldfastError } from '../../contract/errors.ts'
import type { SessionId } from '../../contract/ids.ts'
import type { ApprovalRequest } from '../../contract/schemas/approval.ts'
import type { Session } from '../../contract/schemas/session.ts'
import { isOver } from '../../domain/session-state.ts'
import { createApprovalPrompt, type ApprovalPrompt, type PromptAnswer } from './approval-prompt.ts'
import { approvalLines } from './render.ts'

const ENTER_ALTERNATE = '\x1b[?1049h'
const LEAVE_ALTERNATE = '\x1b[?1049l'

/** The viewer's side of a session's streams. */
export interface Attachment {
  /** Set once the session is known: until then events are kept. */
  begin(session: Session): void
  /** Resolves with the session's last state, when all it printed has been written here; rejects with `no-host` when the host goes away first. */
  readonly over: Promise<Session>
}

const sizeOf = (stream: NodeJS.WriteStream) => ({ columns: stream.columns || 80, rows: stream.rows || 24 })

/** Both ends must be a terminal for the session to get one; else its streams stay apart, as in a pipeline. */
export const viewerTerminal = () => (process.stdin.isTTY === true && process.stdout.isTTY === true ? sizeOf(process.stdout) : null)

/**
 * Joins this process's streams to the session that is about to start on this client. With a terminal, a waiting
 * approval is asked right here, over the agent's screen; without one, it is said on standard error how to answer.
 */
export const attach = (client: Client, notice: (line: string) => void): Attachment => {
  const { promise: over, resolve: finish, reject: lose } = Promise.withResolvers<Session>()
  over.catch(() => undefined)
  const withTerminal = viewerTerminal() !== null
  let sessionId: SessionId | null = null
  let prompt: ApprovalPrompt | null = null
  let inAlternate = false
  const heldOutput: Buffer[] = []
  const queue: ApprovalRequest[] = []
  const early: Session[] = []

  const write = (stream: 'terminal' | 'stdout' | 'stderr', data: Buffer): void => {
    if (stream === 'terminal') {
      const text = data.toString('latin1')
      const entered = text.lastIndexOf('\x1b[?1049h')
      const left = text.lastIndexOf('\x1b[?1049l')
      if (entered !== left) inAlternate = entered > left
    }
    ;(stream === 'stderr' ? process.stderr : process.stdout).write(data)
  }

  const showNext = (): void => {
    const request = queue[0]
    if (prompt !== null || request === undefined) return
    prompt = createApprovalPrompt(request, Date.now(), process.stdout.columns || 80)
    process.stdout.write(`${inAlternate ? '' : ENTER_ALTERNATE}${prompt.screen}\x07`)
  }

  const hidePrompt = (): void => {
    if (prompt === null || sessionId === null) return
    prompt = null
    process.stdout.write(inAlternate ? '\x1b[2J\x1b[H' : LEAVE_ALTERNATE)
    for (const chunk of heldOutput.splice(0)) write('terminal', chunk)
    if (queue.length > 0) {
      showNext()
      return
    }
    // A terminal program draws itself anew when its size changes: so the size changes, and changes back.
    const terminal = sizeOf(process.stdout)
    void client.call('session/resize', { sessionId, terminal: { ...terminal, rows: Math.max(1, terminal.rows - 1) } }).catch(() => undefined)
    void client.call('session/resize', { sessionId, terminal }).catch(() => undefined)
  }

  const answer = async (request: ApprovalRequest, given: PromptAnswer): Promise<void> => {
    try {
      if (given === 'kill') {
        await client.call('session/kill', { sessionIds: [request.sessionId], keepChanges: false })
        return
      }
      const { id: approvalId, bindingHash } = request
      await client.call('approval/decide', {
        approvalId,
        bindingHash,
        answer: given === 'deny' ? 'deny' : 'approve',
        scope: given === 'approve-session' ? 'session' : 'once',
        ...(given === 'deny' ? { reason: 'The user said no.' } : {}),
      })
    } catch {
      // Answered elsewhere or expired meanwhile: the event that says so closes the prompt.
    }
  }

  client.on('session/output', ({ stream, data }) => {
    const chunk = Buffer.from(data, 'base64')
    if (prompt !== null && stream === 'terminal') heldOutput.push(chunk)
    else write(stream, chunk)
  })

  client.on('approval/changed', (request) => {
    if (request.sessionId !== sessionId) return
    if (request.state === 'waiting') {
      if (withTerminal) {
        queue.push(request)
        showNext()
      } else {
        for (const line of approvalLines(request, Date.now())) notice(line)
        notice(`answer in another terminal: holdfast approve ${request.id}  or  holdfast deny ${request.id}`)
      }
      return
    }
    const place = queue.findIndex(({ id }) => id === request.id)
    if (place === -1) return
    queue.splice(place, 1)
    if (prompt?.request.id === request.id) hidePrompt()
  })

  const settle = (session: Session): void => {
    if (!isOver(session.state)) return
    queue.length = 0
    hidePrompt()
    finish(session)
  }
  client.on('session/changed', (session) => {
    if (sessionId === null) early.push(session)
    else if (session.id === sessionId) settle(session)
  })
  void client.closed.then((why) => {
    hidePrompt()
    lose(new HoldfastError('no-host', `the host has gone (${why}); nothing of the session runs without it`))
  })

  const forwardTerminal = (id: SessionId): void => {
    process.stdin.setRawMode(true)
    process.stdin.on('data', (chunk: Buffer) => {
      if (prompt === null) {
        void client.call('session/input', { sessionId: id, data: chunk.toString('base64') }).catch(() => undefined)
        return
      }
      const given = prompt.answer(chunk, Date.now())
      if (given !== null) void answer(prompt.request, given)
    })
    process.stdout.on('resize', () => {
      if (prompt === null) void client.call('session/resize', { sessionId: id, terminal: sizeOf(process.stdout) }).catch(() => undefined)
    })
    void over.catch(() => undefined).then(() => process.stdin.setRawMode(false))
  }

  const forwardPipe = async (id: SessionId): Promise<void> => {
    try {
      for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
        await client.call('session/input', { sessionId: id, data: chunk.toString('base64') })
      }
      await client.call('session/end-input', { sessionId: id })
    } catch {
      // The session has ended, and takes no more input.
    }
  }

  return {
    over,
    begin: (session) => {
      sessionId = session.id
      if (withTerminal) forwardTerminal(session.id)
      else void forwardPipe(session.id)
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const) {
        process.on(signal, () => void client.call('session/signal', { sessionId: session.id, signal }).catch(() => undefined))
      }
      for (const change of [...early.splice(0), session]) if (change.id === session.id) settle(change)
    },
  }
}
