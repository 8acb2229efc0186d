import { connect } from 'node:net'
import type { Readable, Writable } from 'node:stream'

export interface ShimRelayDeps {
  readonly path: string
  readonly token: string
  readonly input: Readable
  readonly output: Writable
  /** Nothing goes through any more; null when the agent itself has ended its input. */
  onEnd(problem: string | null): void
}

interface Message {
  readonly id?: string | number
  readonly method?: string
  readonly params?: unknown
}

const RETRY_MS = 250
const MAX_RETRY_MS = 2_000
/** How long a socket may be missing, in ms: a session that is over has none. */
const MISSING_MS = 1_500
/** The shim's own request, which no agent sends. */
const AGAIN = 'holdfast/again'
const REFUSED = 'the host refused or ended this connection'
const LOST = 'The connection to Holdfast was lost while this ran. It may or may not have taken effect; it is not repeated.'
const AWAY = 'Holdfast cannot be reached at the moment, so this did not run. It is being tried again.'

const NEWLINE = Buffer.from('\n')

const parse = (line: Buffer): Message => {
  try {
    return (JSON.parse(line.toString()) ?? {}) as Message
  } catch {
    return {}
  }
}

/** Calls back with whole lines, ends included, in the pieces they came in: what is cut off in the middle reaches nobody. */
const splitLines = (onLines: (lines: readonly Buffer[]) => void): ((chunk: Buffer) => void) => {
  let begun: Buffer[] = []
  return (chunk) => {
    const end = chunk.lastIndexOf(0x0a) + 1
    if (end === 0) return void begun.push(chunk)
    const whole = [...begun, chunk.subarray(0, end)]
    begun = end === chunk.length ? [] : [chunk.subarray(end)]
    onLines(whole)
  }
}

const eachLine = (pieces: readonly Buffer[], look: (line: Buffer) => void): void => {
  const lines = pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces)
  for (let start = 0, end = 0; (end = lines.indexOf(0x0a, start)) !== -1; start = end + 1) look(lines.subarray(start, end))
}

/**
 * Relays MCP between an agent and the session's socket. When the connection is lost, the agent keeps its own: what it
 * waits for is answered with an error, as is what it asks meanwhile, and once the socket answers again the agent is told
 * that what it knows may have changed. A host that refuses, or a session that is over, is the end.
 */
export const relayShim = ({ path, token, input, output, onEnd }: ShimRelayDeps): void => {
  /** Requests of the agent that the host has not answered, and of the host that the agent has not. */
  const asked = new Set<string | number>()
  const questions = new Set<string | number>()
  let opening: Message | null = null
  let host = connect(path)
  let isUp = true
  /** Whether a host has ever said something here. */
  let wasUp = false
  let wasLost = false
  let isDone = false

  const say = (message: object): void => void output.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
  const fail = (id: string | number, message: string): void => say({ id, error: { code: -32_603, message } })
  const pass = (pieces: readonly Buffer[], to: Writable, from: Readable): void => {
    to.cork()
    for (const piece of pieces) to.write(piece)
    to.uncork()
    if (!to.writableNeedDrain) return
    from.pause()
    to.once('drain', () => from.resume())
  }

  const onAgentLine = (line: Buffer): void => {
    const message = parse(line)
    const { id, method } = message
    if (method === 'initialize') opening = message
    if (id === undefined) return
    if (method !== undefined) asked.add(id)
    else questions.delete(id)
  }
  const onHostLine = (line: Buffer): void => {
    const { id, method } = parse(line)
    if (id === undefined) return
    if (method === undefined) asked.delete(id)
    else questions.add(id)
  }

  /** After a loss, each by itself: an answer to a question of the earlier connection reaches nobody. */
  const sortOut = (line: Buffer): void => {
    const { id, method } = parse(line)
    if (!isUp) return id !== undefined && method !== undefined ? fail(id, AWAY) : undefined
    if (id !== undefined && method === undefined && !questions.has(id)) return
    pass([line, NEWLINE], host, input)
    onAgentLine(line)
  }

  input.on(
    'data',
    splitLines((lines) => {
      if (wasLost) return eachLine(lines, sortOut)
      // Looked at once it is on its way.
      pass(lines, host, input)
      eachLine(lines, onAgentLine)
    }),
  )
  input.once('end', () => {
    isDone = true
    if (isUp) host.end()
    else onEnd(null)
  })

  const goOn = (): void => {
    isUp = true
    for (const kind of ['tools', 'resources', 'prompts']) say({ method: `notifications/${kind}/list_changed` })
  }

  const serve = (missingSince: number | null, retryMs: number): void => {
    const socket = host
    let hasConnected = false
    let hasHeard = false
    let fault: string | undefined
    socket.write(`${token}\n`)
    if (!isUp && opening !== null) socket.write(`${JSON.stringify({ ...opening, id: AGAIN })}\n`)
    socket.once('connect', () => {
      hasConnected = true
      if (opening === null) isUp = true
    })
    const onLines = (lines: readonly Buffer[]): void => {
      hasHeard = true
      wasUp = true
      if (isUp) {
        pass(lines, output, socket)
        return eachLine(lines, onHostLine)
      }
      eachLine(lines, (line) => {
        if (isUp) {
          pass([line, NEWLINE], output, socket)
          onHostLine(line)
        } else if (parse(line).id === AGAIN) {
          socket.write(`${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' })}\n`)
          goOn()
        }
      })
    }
    socket.on('data', splitLines(onLines))
    socket.on('error', (error: NodeJS.ErrnoException) => (fault = error.code))
    socket.once('close', () => {
      if (isDone) return onEnd(null)
      if (!wasUp) return onEnd(hasConnected ? REFUSED : `the host cannot be reached (${fault})`)
      const since = fault === 'ENOENT' ? (missingSince ?? Date.now()) : null
      if ((hasConnected && !hasHeard) || (since !== null && Date.now() - since > MISSING_MS)) return onEnd(REFUSED)
      isUp = false
      wasLost = true
      // It may have waited for the socket to take more.
      input.resume()
      for (const id of asked) fail(id, LOST)
      asked.clear()
      questions.clear()
      setTimeout(() => {
        if (isDone) return
        host = connect(path)
        serve(since, Math.min(retryMs * 2, MAX_RETRY_MS))
      }, hasHeard ? RETRY_MS : retryMs)
    })
  }
  serve(null, RETRY_MS)
}
