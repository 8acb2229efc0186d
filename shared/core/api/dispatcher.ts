import type { z } from 'zod'
import { HoldfastError, type ErrorBody } from '../../contract/errors.ts'
import {
  COMMANDS,
  type CommandName,
  type CommandParams,
  type CommandResult,
  type EventData,
  type EventName,
  type Request,
  type Response,
} from '../../contract/protocol.ts'
import type { Subscriber } from './event-hub.ts'
import type { Role } from './roles.ts'

/** One client, over any transport, after its hello was accepted. */
export interface Connection extends Subscriber {
  readonly id: number
  /** The process at the other end, or null where the platform or the transport does not tell. */
  readonly peerPid: number | null
  readonly role: Role
  /** Sends an event to this client alone. */
  send<Name extends EventName>(event: Name, data: EventData<Name>): void
  /** Sent, but not yet taken by the client. Past MAX_BUFFERED_BYTES the client is dropped: hold back before that. */
  readonly bufferedBytes: number
  /** Called each time everything sent has been taken. */
  onDrain(listener: () => void): void
  /** Ends it after what was sent before. */
  close(): void
}

export type Handlers = {
  readonly [Name in CommandName]: (
    params: CommandParams<Name>,
    connection: Connection,
  ) => Promise<CommandResult<Name>> | CommandResult<Name>
}

export interface DispatcherDeps {
  /** Throws HoldfastError `unauthorised` when this connection may not give this command. */
  authorise(connection: Connection, command: CommandName): void
  /** Tells the host's own log, and nobody else, about a fault that no handler foresaw. */
  logFault(command: CommandName, error: unknown): void
}

/**
 * Answers one request: validate, authorise, handle, typed error. Never rejects, and enters the handler before it
 * returns, so that requests are taken up in the order they came.
 */
export type Dispatch = (connection: Connection, request: Request) => Promise<Response>

const MAX_FIELD_LENGTH = 200
const MAX_MESSAGE_LENGTH = 8_192

const isCommand = (name: string): name is CommandName => Object.hasOwn(COMMANDS, name)

const badParams = (command: CommandName, issue: z.core.$ZodIssue | undefined): HoldfastError => {
  const field = (issue?.path ?? []).map(String).join('.').slice(0, MAX_FIELD_LENGTH)
  const message = `${command}: ${field === '' ? 'parameters' : field}: ${issue?.message ?? 'not valid'}`
  return new HoldfastError('bad-params', message, field === '' ? {} : { at: { field } })
}

export const createDispatcher = (handlers: Handlers, deps: DispatcherDeps): Dispatch => {
  const bodyOf = (command: CommandName, error: unknown): ErrorBody => {
    if (error instanceof HoldfastError)
      return { ...error.toBody(), message: error.message.slice(0, MAX_MESSAGE_LENGTH) }
    deps.logFault(command, error)
    return {
      code: 'internal',
      message: `Something went wrong in the host during ${command}. The host's log says what.`,
    }
  }

  const run = async <Name extends CommandName>(connection: Connection, command: Name, given: unknown) => {
    const params = COMMANDS[command].params.safeParse(given)
    if (!params.success) throw badParams(command, params.error.issues[0])
    deps.authorise(connection, command)
    return await handlers[command](params.data as CommandParams<Name>, connection)
  }

  return async (connection, { id, command, params }) => {
    if (!isCommand(command)) {
      return {
        id,
        error: {
          code: 'unknown-command',
          message: 'The host knows no such command. Restart it, if it is older than this program.',
        },
      }
    }
    try {
      return { id, result: await run(connection, command, params) }
    } catch (error) {
      return { id, error: bodyOf(command, error) }
    }
  }
}
