import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { connectFrames } from '../../electron/host-process/frame-socket.ts'
import { createClient, type FrameSocket } from '../../shared/contract/client.ts'
import type { HoldfastError } from '../../shared/contract/errors.ts'
import type { CommandName, PageRole } from '../../shared/contract/protocol.ts'
import { createDispatcher, type Handlers } from '../../shared/core/api/dispatcher.ts'
import { createEventHub } from '../../shared/core/api/event-hub.ts'
import { authoriseRole } from '../../shared/core/api/roles.ts'
import { createToken } from '../../shared/core/supervisor/session-folder.ts'
import { listenLocalSocket } from '../../shared/core/transports/local-socket-server.ts'
import { listenWeb } from '../../shared/core/transports/web-server.ts'
import { HOST_INFO, logIn, openWeb } from '../contract/transports.ts'

const handlers = new Proxy({} as Handlers, { get: () => () => HOST_INFO })
const shared = {
  dispatch: createDispatcher(handlers, { authorise: ({ role }, command) => authoriseRole(role, command), logFault: () => undefined }),
  hub: createEventHub(),
  isForbiddenPeer: () => false,
}
const PARAMS: Partial<Record<CommandName, unknown>> = {
  'host/info': {},
  'host/stop': {},
  'secret/list': {},
  'approval/decide': { approvalId: 'apr_bcdfghjkmnpq', bindingHash: 'x', answer: 'approve' },
}

/** Which of those a connection may give that asks for this role. What the answer then holds is no matter. */
const allowed = async (socket: FrameSocket, token: string, role?: PageRole): Promise<string[]> => {
  const client = createClient(socket, { token, client: 'test', ...(role === undefined ? {} : { role }) })
  const codes = await Promise.all(
    Object.entries(PARAMS).map(async ([name, params]) => {
      const code = await client.call(name as CommandName, params as never).then(() => 'done', (error: unknown) => (error as HoldfastError).code)
      return [name, code] as const
    }),
  )
  client.close()
  return codes.flatMap(([name, code]) => (code === 'unauthorised' ? [] : [name]))
}

let folder: string
let token: string
let server: { close(): Promise<void> }
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hf-'))
  token = createToken()
})
afterEach(async () => {
  await server.close()
  await rm(folder, { recursive: true })
})

describe('a connection that its owner makes for a page', () => {
  it.each([
    ['dashboard', ['host/info', 'secret/list']],
    ['approver', ['host/info', 'approval/decide']],
    [undefined, ['host/info', 'host/stop', 'secret/list', 'approval/decide']],
  ] as const)('as %s may do no more than %j', async (role, commands) => {
    const socketPath = join(folder, 'host.sock')
    server = await listenLocalSocket({ ...shared, socketPath, token })
    expect(await allowed(await connectFrames(socketPath), token, role)).toEqual(commands)
  })

  it('is refused where it asks to be something else', async () => {
    const socketPath = join(folder, 'host.sock')
    server = await listenLocalSocket({ ...shared, socketPath, token })
    const client = createClient(await connectFrames(socketPath), { token, client: 'test', role: 'owner' as PageRole })
    await expect(client.ready).rejects.toMatchObject({ code: 'unauthorised' })
  })
})

it('a page in a browser stays what its address makes it, whatever it asks to be', async () => {
  await writeFile(join(folder, 'index.html'), '<!doctype html><title>x</title>')
  const web = await listenWeb({ ...shared, folder, role: 'dashboard', clock: { now: () => 1_000 }, newSecret: createToken })
  server = web
  const login = await logIn(web.origin, web.createLink())
  expect(await allowed(await openWeb(web.origin, login.cookie), login.token, 'approver')).toEqual(['host/info', 'secret/list'])
})
