import { appendFile, mkdir, readdir, rm, stat } from 'node:fs/promises'
import type { OutgoingHttpHeaders } from 'node:http'
import { join } from 'node:path'
import { pipeline, Transform } from 'node:stream'
import type { SessionId } from '../../contract/ids.ts'
import type { RequestLogMode } from '../../contract/schemas/profile.ts'
import type { Clock } from '../ports.ts'
import { networkErrorCode, type Upstream, type UpstreamAnswer, type UpstreamRequest } from './upstream.ts'

/** Largest body that is kept whole, and largest file of one session; in bytes. */
const MAX_BODY_BYTES = 4 * 1024 * 1024
const MAX_FILE_BYTES = 256 * 1024 * 1024
const KEPT_MS = 30 * 86_400_000

/** Headers that carry a credential. */
const CREDENTIALS = new Set(['authorization', 'proxy-authorization', 'cookie', 'set-cookie', 'x-api-key', 'api-key', 'x-goog-api-key', 'x-amz-security-token', 'x-holdfast-token'])
const HIDDEN = '[not logged]'

/** Writes down what one session asks its model, and what that answers. */
export interface RequestLog {
  /** The same provider; each request is written down once its answer is over. */
  through(upstream: Upstream): Upstream
}

/**
 * Files for looking into trouble with a model, one a session and a line of JSON a request: written only where the user's
 * own profile says so, for the user alone, and removed after 30 days. Credentials and what the redactor knows are taken
 * out, as far as they stand in one piece. What cannot be written is told to `log`, and holds nothing up.
 */
export interface RequestLogs {
  of(sessionId: SessionId, mode: RequestLogMode): RequestLog | null
  fileOf(sessionId: SessionId): string
  /** Resolves when what is over has been written. */
  close(): Promise<void>
}

/** A body as it came, up to the most that is kept. */
const createKept = () => {
  const parts: Buffer[] = []
  let kept = 0
  let bytes = 0
  return {
    add(part: Buffer): void {
      bytes += part.length
      const room = part.subarray(0, MAX_BODY_BYTES - kept)
      if (room.length > 0) parts.push(room)
      kept += room.length
    },
    get: () => ({ bytes, text: Buffer.concat(parts).toString('utf8') }),
  }
}

const removeOld = async (folder: string, now: number): Promise<void> => {
  for (const name of await readdir(folder).catch(() => [])) {
    const file = join(folder, name)
    if (now - (await stat(file)).mtimeMs > KEPT_MS) await rm(file)
  }
}

export const createRequestLogs = (deps: { readonly folder: string; readonly redactor: { know(value: string): void; text(text: string): string }; readonly clock: Clock; readonly log: (line: string) => void }): RequestLogs => {
  const { folder, redactor, clock } = deps
  const fault = (error: unknown): void => deps.log(`model requests could not be logged: ${String(error)}`)
  const fileOf = (sessionId: SessionId): string => join(folder, `${sessionId}.jsonl`)
  let turn: Promise<void> = removeOld(folder, clock.now()).catch(fault)

  const shownHeaders = (headers: OutgoingHttpHeaders): Record<string, string> =>
    Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, CREDENTIALS.has(name.toLowerCase()) ? HIDDEN : redactor.text(String(value))]))

  const learn = ({ headers }: UpstreamRequest): void => {
    for (const name of ['authorization', 'x-api-key']) {
      const value = headers[name]
      if (typeof value === 'string') redactor.know(value.replace(/^Bearer /, ''))
    }
  }

  const of: RequestLogs['of'] = (sessionId, mode) => {
    if (mode === 'off') return null
    const file = fileOf(sessionId)
    let written = 0

    const shownBody = ({ bytes, text }: { bytes: number; text: string }) => ({ bytes, ...(mode === 'full' ? { body: redactor.text(text), ...(bytes > MAX_BODY_BYTES ? { cut: true } : {}) } : {}) })

    const write = (entry: Record<string, unknown>): void => {
      const line = `${JSON.stringify(entry)}\n`
      const isLast = written <= MAX_FILE_BYTES && written + line.length > MAX_FILE_BYTES
      written += line.length
      if (written > MAX_FILE_BYTES && !isLast) return
      const text = isLast ? `${JSON.stringify({ full: 'This log is full: what came later is not in it.' })}\n` : line
      turn = turn
        .then(() => mkdir(folder, { recursive: true, mode: 0o700 }))
        .then(() => appendFile(file, text, { mode: 0o600 }))
        .catch(fault)
    }

    const send = async (upstream: Upstream, request: UpstreamRequest): Promise<UpstreamAnswer> => {
      learn(request)
      const from = clock.now()
      const asked = createKept()
      asked.add(request.body)
      const entry = (rest: Record<string, unknown>): void =>
        write({ at: new Date(from).toISOString(), request: { line: `${request.method} ${redactor.text(request.path)}`, headers: shownHeaders(request.headers), ...shownBody(asked.get()) }, ...rest, ms: clock.now() - from })
      const answer = await upstream.send(request).catch((error: unknown) => {
        entry({ failed: networkErrorCode(error) })
        throw error
      })
      const told = createKept()
      const passed = new Transform({
        transform(chunk: Buffer, _, done) {
          told.add(chunk)
          done(null, chunk)
        },
      })
      pipeline(answer, passed, (error) =>
        entry({ answer: { status: answer.statusCode, headers: shownHeaders(answer.headers), ...shownBody(told.get()) }, ...(error ? { failed: networkErrorCode(error) } : {}) }),
      )
      return Object.defineProperties(passed, {
        statusCode: { value: answer.statusCode },
        headers: { value: answer.headers },
        complete: { get: () => answer.complete },
      }) as unknown as UpstreamAnswer
    }

    return { through: (upstream) => ({ send: (request) => send(upstream, request), close: upstream.close }) }
  }
  return { of, fileOf, close: () => turn }
}
