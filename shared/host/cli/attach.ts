import type { Client } from '../../contract/client.ts'
import { HoldfastError } from '../../contract/errors.ts'
import type { ApprovalId, SessionId } from '../../contract/ids.ts'
import type { ApprovalRequest } from '../../contract/schemas/approval.ts'
import type { Session } from '../../contract/schemas/session.ts'
import { isOver } from '../../domain/session-state.ts'
import { visibleText } from '../../domain/visible-text.ts'
import { createApprovalPrompt, type ApprovalPrompt, type PromptAnswer } from './approval-prompt.ts'
import { approvalLines } from './render.ts'
import { createTerminalModes } from './terminal-modes.ts'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const

/** The viewer's side of a session's streams. */
export interface Attachment {
  /** Set once the session is known: until then events are kept. */
  begin(session: Session): void
  /** Resolves with the session's last state, when all it printed has been written here; rejects with `no-host` when the host goes away first. */
  readonly over: Promise<Session>
}

const CTRL_C = 0x03
/** What the agent prints while a question is shown waits for the answer, of too much of it the newest, in bytes: a person may be away for hours. */
const MAX_HELD_BYTES = 8 * 1024 * 1024
/** After a person asked for an end, a host that says nothing for this long is taken for hung, in ms. */
const HOST_ANSWERS_WITHIN_MS = 5_000

const sizeOf = (stream: NodeJS.WriteStream) => ({ columns: stream.columns || 80, rows: stream.rows || 24 })

/** Both ends must be a terminal for the session to get one; else its streams stay apart, as in a pipeline. */
export const viewerTerminal = () => (process.stdin.isTTY === true && process.stdout.isTTY === true ? sizeOf(process.stdout) : null)

/**
 * Joins this process's streams to the session that is about to start on this client. With a terminal, a waiting
 * approval is asked right here, over the agent's screen; without one, it is said on standard error how to answer.
 * What the agent prints without a terminal goes to `stdout`.
 */
export const attach = (client: Client, notice: (line: string) => void, stdout: NodeJS.WriteStream): Attachment => {
  const { promise: over, resolve: finish, reject: lose } = Promise.withResolvers<Session>()
  over.catch(() => undefined)
  const withTerminal = viewerTerminal() !== null
  let sessionId: SessionId | null = null
  let prompt: ApprovalPrompt | null = null
  const modes = createTerminalModes()
  const heldOutput: Buffer[] = []
  let heldBytes = 0
  const queue: ApprovalRequest[] = []
  const early: Session[] = []
  let told = 0
  /** What is said beside the agent's screen, when that is given back. */
  const untold: string[] = []
  /** What gives back the terminal and the signals. */
  const release: (() => void)[] = []

  const write = (stream: 'terminal' | 'stdout' | 'stderr', data: Buffer): void => {
    if (stream === 'terminal') modes.follow(data)
    ;(stream === 'stderr' ? process.stderr : stream === 'stdout' ? stdout : process.stdout).write(data)
  }

  const alikeTo = ({ id, bindingHash }: ApprovalRequest): ApprovalId[] =>
    queue.filter((other) => other.bindingHash === bindingHash && other.id !== id).map((other) => other.id)

  /** Others for the call that is shown came or went. */
  const drawAlike = (shown: ApprovalPrompt, changed: ApprovalRequest): void => {
    if (shown.request.bindingHash !== changed.bindingHash) return
    shown.setAlike(alikeTo(shown.request))
    process.stdout.write(shown.draw(sizeOf(process.stdout)))
  }

  const showNext = (): void => {
    const request = queue[0]
    if (prompt !== null || request === undefined) return
    prompt = createApprovalPrompt(request, Date.now())
    prompt.setAlike(alikeTo(request))
    process.stdout.write(`${modes.enter()}${prompt.draw(sizeOf(process.stdout))}\x07`)
  }

  const hidePrompt = (): void => {
    if (prompt === null || sessionId === null) return
    prompt = null
    process.stdout.write(modes.leave())
    heldBytes = 0
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

  const answer = async (request: ApprovalRequest, alike: readonly ApprovalId[], given: PromptAnswer): Promise<void> => {
    try {
      if (given === 'kill') {
        await client.call('session/kill', { sessionIds: [request.sessionId], keepChanges: false })
        return
      }
      const { id: approvalId, bindingHash } = request
      const isYes = given === 'approve' || given === 'approve-session'
      await client.call('approval/decide', {
        approvalId,
        bindingHash,
        alike: [...alike],
        answer: isYes ? 'approve' : 'deny',
        scope: given === 'approve-session' ? 'session' : 'once',
        ...(isYes ? {} : { reason: typeof given === 'object' ? given.denyBecause : 'The user said no.', pause: given === 'deny-and-pause' }),
      })
    } catch (error) {
      // Answered elsewhere or expired meanwhile: the event that says so closes the prompt. Anything else is told below it.
      const isAnswered = error instanceof HoldfastError && (error.code === 'not-found' || error.code === 'illegal-state')
      if (!isAnswered && prompt?.request.id === request.id) process.stdout.write(`\r\n${visibleText(error instanceof Error ? error.message : String(error))}`)
    }
  }

  /** Lets go of a host that hangs: else neither Ctrl-C nor a signal could end this process. */
  const requireAnswer = (id: SessionId): void => {
    const timer = setTimeout(() => {
      detach()
      lose(new HoldfastError('no-host', `The host does not answer, so this terminal was let go. Its session may still run; end it with: holdfast kill ${id}`))
      client.close()
    }, HOST_ANSWERS_WITHIN_MS)
    const answered = (): void => clearTimeout(timer)
    client.call('host/info', {}).then(answered, answered)
  }

  const tell = (line: string): void => {
    if (withTerminal && sessionId !== null) untold.push(visibleText(line))
    else notice(visibleText(line))
  }

  client.on('session/output', ({ stream, data }) => {
    const chunk = Buffer.from(data, 'base64')
    if (prompt === null || stream !== 'terminal') return write(stream, chunk)
    heldOutput.push(chunk)
    heldBytes += chunk.length
    while (heldBytes > MAX_HELD_BYTES) heldBytes -= heldOutput.shift()?.length ?? heldBytes
  })

  client.on('approval/changed', (request) => {
    if (request.sessionId !== sessionId) return
    if (request.state === 'waiting') {
      if (withTerminal) {
        const known = queue.findIndex(({ id }) => id === request.id)
        queue.splice(known === -1 ? queue.length : known, known === -1 ? 0 : 1, request)
        if (prompt === null) showNext()
        else if (known === -1) drawAlike(prompt, request)
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
    else if (prompt !== null) drawAlike(prompt, request)
  })

  const detach = (): void => {
    queue.length = 0
    hidePrompt()
    for (const undo of release.splice(0)) undo()
    for (const line of untold.splice(0)) notice(line)
  }
  const follow = (session: Session): void => {
    session.notices.slice(told).forEach(tell)
    told = Math.max(told, session.notices.length)
    if (!isOver(session.state)) return
    detach()
    finish(session)
  }
  client.on('session/changed', (session) => {
    if (sessionId === null) early.push(session)
    else if (session.id === sessionId) follow(session)
  })
  client.on('alarm/raised', ({ sessionId: alarmed, message }) => {
    if (alarmed === sessionId && sessionId !== null) tell(`ALARM: ${message}`)
  })
  void client.closed.then((why) => {
    detach()
    lose(new HoldfastError('no-host', `The host has gone, and the session with it: nothing of it runs without a host. Its changes are kept. ${why}`))
  })

  /** Joins the terminal, and gives what undoes that: the user's shell then finds it as it was. */
  const forwardTerminal = (id: SessionId): (() => void) => {
    const input = (chunk: Buffer): void => {
      if (chunk.includes(CTRL_C)) requireAnswer(id)
      if (prompt === null) {
        void client.call('session/input', { sessionId: id, data: chunk.toString('base64') }).catch(() => undefined)
        return
      }
      const given = prompt.press(chunk, Date.now())
      if (given === 'redraw') process.stdout.write(prompt.draw(sizeOf(process.stdout)))
      else if (given !== null) void answer(prompt.request, prompt.alike(), given)
    }
    const resize = (): void => {
      const terminal = sizeOf(process.stdout)
      if (prompt === null) void client.call('session/resize', { sessionId: id, terminal }).catch(() => undefined)
      else process.stdout.write(prompt.draw(terminal))
    }
    process.stdin.setRawMode(true).on('data', input)
    process.stdout.on('resize', resize)
    return () => {
      process.stdin.off('data', input).setRawMode(false)
      process.stdout.off('resize', resize)
      process.stdout.write(modes.reset())
    }
  }

  /** A signal to this process is one to the agent, as in any terminal. */
  const forwardSignals = (id: SessionId): (() => void) => {
    const forward = (signal: NodeJS.Signals): void => {
      const known = SIGNALS.find((name) => name === signal)
      if (known === undefined) return
      void client.call('session/signal', { sessionId: id, signal: known }).catch(() => undefined)
      requireAnswer(id)
    }
    for (const signal of SIGNALS) process.on(signal, forward)
    return () => {
      for (const signal of SIGNALS) process.off(signal, forward)
    }
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
      session.notices.forEach(tell)
      told = session.notices.length
      sessionId = session.id
      if (withTerminal) release.push(forwardTerminal(session.id))
      else void forwardPipe(session.id)
      release.push(forwardSignals(session.id))
      for (const change of [...early.splice(0), session]) if (change.id === session.id) follow(change)
    },
  }
}
