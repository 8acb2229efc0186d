import { beforeEach, expect, test } from 'vitest'
import { SessionId, ToolCallId } from '../../shared/contract/ids.ts'
import type { ActionClass, ToolCall } from '../../shared/contract/schemas/tool-call.ts'
import { createSessionActivity } from '../../shared/core/supervisor/session-activity.ts'

const sessionId = SessionId.parse('ses_222222222222')
let told: string[]
let processes: number[]
let checkpointFails: boolean
let hasCheckpoint: boolean
let recorded: string[]
let lookFails: boolean
let activity: ReturnType<typeof createSessionActivity>
let reaches: unknown[]
let sample: (() => Promise<string | null>) | null

beforeEach(() => {
  told = []
  recorded = []
  reaches = []
  sample = null
  lookFails = false
  let states = 0
  const state = () => ({ tree: `${(states += 1)}`, extras: '' })
  processes = [10, 11]
  checkpointFails = false
  hasCheckpoint = true
  activity = createSessionActivity({
    checkpoints: {
      mark: async ({ state: to, reach }: { state: string; reach?: unknown }) => (told.push(to), to === 'active' && reaches.push(reach), state()),
      look: async () => {
        if (lookFails) throw new Error('no look')
        return state()
      },
    } as never,
    changes: {
      record: async (_session, calls, from, to) => void recorded.push(`${calls.map((id) => id.at(-1)).join('')}: ${typeof from === 'string' ? from : from.tree} to ${to.tree}`),
      recordAll: async () => void recorded.push('all'),
    },
    sessionCheckpoints: {
      has: async () => hasCheckpoint,
      create: async (_session: SessionId, reason: string, reach: unknown) => {
        reaches.push(reach)
        if (checkpointFails) throw new Error('no checkpoint')
        told.push(reason)
        return { id: 'chk_222222222222' }
      },
    } as never,
    whileStill: async (_session, work) => {
      told.push('freeze')
      await work()
      told.push('thaw')
    },
    processesOf: async () => processes,
    idle: { watch: (_session, take) => void (sample = take), cut: () => undefined, stop: () => (sample = null) },
    runCountsOf: async (_session, own) => `without ${[...own].join()}`,
  })
})

const call = (letter: string, actionClass: ActionClass): ToolCall =>
  ({ id: ToolCallId.parse(`call_${letter.repeat(12)}`), sessionId, decision: { effect: 'allow', rules: [], classification: { class: actionClass, reasons: [] } } }) as unknown as ToolCall
const named = (letter: string, actionClass: ActionClass, tool: string, input: unknown): ToolCall => ({ ...call(letter, actionClass), tool, input })
const settled = () => new Promise((resolve) => setImmediate(resolve))

test('a checkpoint is kept before a destructive call, with everything frozen, and the call does not run without', async () => {
  await activity.before(call('b', 'destructive'))
  expect(told).toEqual(['freeze', 'before-destructive', 'thaw'])
  checkpointFails = true
  await expect(activity.before(call('c', 'destructive'))).rejects.toThrow('no checkpoint')
})

test('a call that was never judged counts as destructive, and one that only reads needs nothing', async () => {
  await activity.before({ ...call('b', 'read'), decision: null })
  expect(told).toContain('before-destructive')
  expect(activity.before(call('c', 'read'))).toBeNull()
})

test('the session is quiet once no call runs, and active again before the next one runs', async () => {
  await activity.before(call('b', 'write'))
  await activity.before(call('c', 'write'))
  activity.after(call('b', 'write'))
  await settled()
  expect(told).toEqual([])
  activity.after(call('c', 'write'))
  await settled()
  expect(told).toEqual(['quiet'])
  await activity.before(call('d', 'write'))
  expect(told).toEqual(['quiet', 'active'])
})

test('a process that a call left behind keeps the session from being quiet, until it has ended', async () => {
  await activity.before(call('b', 'write'))
  processes = [10, 11, 12]
  activity.after(call('b', 'write'))
  await settled()
  expect(told).toEqual([])
  await activity.before(call('c', 'write'))
  processes = [10]
  activity.after(call('c', 'write'))
  await settled()
  expect(told).toEqual(['quiet'])
})

test('a session that was started without a checkpoint is not held up for one', async () => {
  hasCheckpoint = false
  await activity.before(call('b', 'destructive'))
  activity.after(call('b', 'destructive'))
  await settled()
  expect(told).toEqual([])
})

test('what calls changed is recorded once none runs, from just before them, whether or not they left a process behind', async () => {
  await activity.before(call('b', 'write'))
  await activity.before(call('c', 'write'))
  activity.after(call('b', 'write'))
  await settled()
  expect(recorded).toEqual([])
  activity.after(call('c', 'write'))
  await settled()
  expect(recorded).toEqual(['bc: 1 to 2'])
  await activity.before(call('d', 'destructive'))
  processes = [10, 11, 12]
  activity.after(call('d', 'destructive'))
  await settled()
  await activity.before(call('f', 'write'))
  activity.after(call('f', 'write'))
  await settled()
  expect(recorded.slice(1)).toEqual(['d: 3 to 4', 'f: 4 to 5'])
  await activity.recordAll(sessionId)
  expect(recorded.at(-1)).toBe('all')
})

test('a call runs though the look that its record needs fails', async () => {
  lookFails = true
  await activity.before(call('b', 'write'))
  activity.after(call('b', 'write'))
  await settled()
  expect({ told, recorded }).toEqual({ told: ['quiet'], recorded: [] })
})

test('a call that names the one file it changes can change no other, and one beside it of another kind anything', async () => {
  await activity.before(call('b', 'write'))
  activity.after(call('b', 'write'))
  await settled()
  await activity.before(named('c', 'write', 'Write', { file_path: '/p/a', content: '' }))
  await activity.before(named('d', 'destructive', 'Edit', { file_path: '/p/b' }))
  await activity.before(named('f', 'write', 'Bash', { command: 'true' }))
  await activity.before(named('g', 'write', 'NotebookEdit', { notebook_path: '/p/c' }))
  expect(reaches).toEqual([['/p/a'], ['/p/a', '/p/b'], ['/p/a', '/p/b'], null])
})

test('a process that is left when such a call ends may have changed anything', async () => {
  await activity.before(call('b', 'write'))
  activity.after(call('b', 'write'))
  await settled()
  await activity.before(named('c', 'write', 'Write', { file_path: '/p/a', content: '' }))
  processes = [10, 11, 12]
  activity.after(call('c', 'write'))
  await settled()
  expect(reaches).toEqual([['/p/a'], null])
})

test('while a command runs it is told when nothing does, and not while the agent or a server may work itself', async () => {
  await activity.before(named('b', 'write', 'Bash', { command: 'true' }))
  expect(await sample?.()).toBe('without 10,11')
  await activity.before(named('c', 'write', 'mcp__files__write', {}))
  expect(await sample?.()).toBeNull()
  activity.after(call('c', 'write'))
  expect(await sample?.()).toBe('without 10,11')
  activity.after(call('b', 'write'))
  await settled()
  expect(sample).toBeNull()
})
