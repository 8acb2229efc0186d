import type { JSONRPCMessage, Transport } from '@modelcontextprotocol/client'

/** One session's part in a connection that it may share. */
export interface Member {
  readonly transport: Transport
  /** Whether something that it asked for may still be worked on: not answered, or cancelled, of which no server tells the end. */
  hasWork(): boolean
  /** Gets and sends nothing from now on; what it still waited for is cancelled. */
  leave(): void
}

export interface SharedConnection {
  join(onDivided: () => void): Member
  readonly members: number
  /**
   * Resolves, never rejects, once the server has said what it has: false where that is kept for one client, or where
   * the connection ended before.
   */
  readonly opened: Promise<boolean>
  /** Whether it asks its client something: then it is for one session alone. */
  readonly asks: boolean
}

interface Message {
  readonly jsonrpc?: '2.0'
  readonly id?: string | number
  readonly method?: string
  readonly params?: Readonly<Record<string, unknown>>
  readonly result?: Readonly<Record<string, unknown>>
  readonly error?: unknown
}

interface Seat {
  readonly transport: Transport
  readonly onDivided: () => void
  /** Own ids of its requests under way, by the ids that it gave them. */
  readonly open: Map<string | number, number>
  /** Own ids of requests that it cancelled. */
  readonly cancelled: Set<number>
}

interface Asked {
  readonly seat: Seat
  readonly id: string | number
  readonly method: string
  readonly progressToken: unknown
}

/** What opens a connection is answered once, and to all who join with what the first was told. */
const OPENINGS = ['initialize', 'server/discover']
const SUBSCRIPTION = 'io.modelcontextprotocol/subscriptionId'
/** Open as long as the connection, and no work. */
const LISTENING = 'subscriptions/listen'
const UNCLEAR = { code: -32_603, message: 'Several clients use this server, and over stdio a question does not say which of them it is for. Ask again: from now on each has a server of its own.' }

/** Whether a server of these capabilities remembers something of its client: a level of logging, what it subscribed to, its tasks. */
const keepsState = (capabilities: unknown): boolean => {
  const { logging, resources, tasks } = (capabilities ?? {}) as { logging?: unknown; resources?: { subscribe?: unknown }; tasks?: unknown }
  return logging !== undefined || resources?.subscribe === true || tasks !== undefined
}

/**
 * Lets several sessions speak with one stdio server, each as if it were alone: ids of requests and tokens of progress
 * are made the connection's own on the way there, and theirs on the way back. All must open it with the same words.
 * Over stdio a server's question names no request: it goes to the one session whose requests are under way, and where
 * that is not clear to none. Either way nobody shares that server any more.
 */
export const createSharedConnection = (upstream: Transport): SharedConnection => {
  const seats = new Set<Seat>()
  const asked = new Map<number, Asked>()
  /** The server's own requests, by its ids. */
  const questions = new Map<string | number, Seat>()
  const openings = new Map<string, Message['result']>()
  const opened = Promise.withResolvers<boolean>()
  let started: Promise<void> | null = null
  let initialized = false
  let asks = false
  let lastId = 0

  const deliver = (seat: Seat, message: Message): void => {
    if (seats.has(seat)) seat.transport.onmessage?.(message as JSONRPCMessage)
  }
  const send = (message: Message): Promise<void> => upstream.send({ jsonrpc: '2.0', ...message } as JSONRPCMessage)

  const settle = (id: number): void => {
    const route = asked.get(id)
    if (route === undefined) return
    asked.delete(id)
    route.seat.cancelled.delete(id)
    if (route.seat.open.get(route.id) === id) route.seat.open.delete(route.id)
  }

  const isWorking = (seat: Seat): boolean => [...seat.open.values()].some((id) => asked.get(id)?.method !== LISTENING)

  /** Whose requests are under way, where that is one session's. */
  const concerned = (): Seat | null => {
    if (seats.size === 1) return [...seats][0] ?? null
    const working = [...seats].filter(isWorking)
    return working.length === 1 ? (working[0] ?? null) : null
  }

  const divide = (stays: Seat | null): void => {
    asks = true
    for (const seat of [...seats].filter((one) => one !== (stays ?? [...seats][0]))) seat.onDivided()
  }

  const onQuestion = (message: Message & { readonly id: string | number }): void => {
    const seat = message.method === 'ping' ? ([...seats][0] ?? null) : concerned()
    if (message.method !== 'ping' && !asks) divide(seat)
    if (seat === null) return void send({ id: message.id, error: UNCLEAR }).catch(() => {})
    questions.set(message.id, seat)
    deliver(seat, message)
  }

  const onAnswer = (message: Message): void => {
    const id = Number(message.id)
    const route = asked.get(id)
    if (route === undefined) return
    settle(id)
    if (OPENINGS.includes(route.method) && message.result !== undefined) {
      openings.set(route.method, message.result)
      opened.resolve(!keepsState(message.result['capabilities']))
    }
    deliver(route.seat, { ...message, id: route.id })
  }

  const onNotification = (message: Message): void => {
    const { method, params } = message
    if (method === 'notifications/progress') {
      const route = asked.get(Number(params?.['progressToken']))
      if (route !== undefined) deliver(route.seat, { ...message, params: { ...params, progressToken: route.progressToken } })
      return
    }
    if (method === 'notifications/cancelled') {
      const seat = questions.get(params?.['requestId'] as string | number)
      if (seat !== undefined) deliver(seat, message)
      return
    }
    const meta = params?.['_meta'] as Record<string, unknown> | undefined
    if (meta?.[SUBSCRIPTION] !== undefined) {
      const route = asked.get(Number(meta[SUBSCRIPTION]))
      if (route !== undefined) deliver(route.seat, { ...message, params: { ...params, _meta: { ...meta, [SUBSCRIPTION]: route.id } } })
      return
    }
    if (method?.endsWith('/list_changed') === true) {
      for (const seat of seats) deliver(seat, message)
      return
    }
    const seat = concerned()
    if (seat !== null) deliver(seat, message)
  }

  const ask = async (seat: Seat, message: Message & { readonly id: string | number; readonly method: string }): Promise<void> => {
    const { id, method, params } = message
    const known = openings.get(method)
    if (known !== undefined) return queueMicrotask(() => deliver(seat, { jsonrpc: '2.0', id, result: known }))
    const own = (lastId += 1)
    const meta = params?.['_meta'] as Record<string, unknown> | undefined
    const progressToken = meta?.['progressToken']
    asked.set(own, { seat, id, method, progressToken })
    seat.open.set(id, own)
    await send({ ...message, id: own, ...(progressToken === undefined ? {} : { params: { ...params, _meta: { ...meta, progressToken: own } } }) })
  }

  const cancel = async (seat: Seat, id: string | number, message: Message): Promise<void> => {
    const own = seat.open.get(id)
    if (own === undefined) return
    seat.open.delete(id)
    if (asked.get(own)?.method === LISTENING) asked.delete(own)
    else seat.cancelled.add(own)
    await send({ ...message, params: { ...message.params, requestId: own } })
  }

  const onSent = async (seat: Seat, message: Message): Promise<void> => {
    const { id, method, params } = message
    if (!seats.has(seat)) return
    if (method !== undefined && id !== undefined) return ask(seat, { ...message, id, method })
    if (id !== undefined) {
      if (questions.get(id) !== seat) return
      questions.delete(id)
    } else if (method === 'notifications/cancelled') {
      return cancel(seat, params?.['requestId'] as string | number, message)
    } else if (method === 'notifications/initialized') {
      if (initialized) return
      initialized = true
    }
    await send(message)
  }

  upstream.onmessage = (received) => {
    const message = received as Message
    if (message.method === undefined) onAnswer(message)
    else if (message.id === undefined) onNotification(message)
    else onQuestion({ ...message, id: message.id })
  }
  upstream.onerror = (error) => {
    for (const seat of seats) seat.transport.onerror?.(error)
  }
  upstream.onclose = () => {
    opened.resolve(false)
    for (const seat of [...seats]) {
      seats.delete(seat)
      seat.transport.onclose?.()
    }
  }

  return {
    opened: opened.promise,
    get members() {
      return seats.size
    },
    get asks() {
      return asks
    },
    join: (onDivided) => {
      const seat: Seat = {
        onDivided,
        open: new Map(),
        cancelled: new Set(),
        transport: {
          start: () => (started ??= upstream.start()),
          send: (message) => onSent(seat, message as Message),
          close: async () => leave(),
        },
      }
      const leave = (): void => {
        if (!seats.has(seat)) return
        for (const own of seat.open.values()) {
          const isWork = asked.get(own)?.method !== LISTENING
          if (isWork) seat.cancelled.add(own)
          else asked.delete(own)
          send({ method: 'notifications/cancelled', params: { requestId: own } }).catch(() => {})
        }
        seat.open.clear()
        for (const [id, one] of questions) {
          if (one !== seat) continue
          questions.delete(id)
          send({ id, error: { code: -32_603, message: 'The client has gone.' } }).catch(() => {})
        }
        seats.delete(seat)
        seat.transport.onclose?.()
      }
      seats.add(seat)
      return { transport: seat.transport, hasWork: () => isWorking(seat) || seat.cancelled.size > 0, leave }
    },
  }
}
