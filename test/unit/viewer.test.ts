import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { Connection } from '../../shared/core/api/dispatcher.ts'
import type { Container, ContainerExit } from '../../shared/core/ports.ts'
import { showOutput } from '../../shared/core/supervisor/viewer.ts'
import { SESSION } from '../support/fakes.ts'

const setUp = (bufferedBytes = 0) => {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
  const { promise: exited, resolve: exit } = Promise.withResolvers<ContainerExit>()
  const sent: unknown[] = []
  const viewer = { onDrain: () => undefined, onClose: () => undefined, bufferedBytes, send: (_: string, data: { data: string }) => void sent.push(Buffer.from(data.data, 'base64').toString()) }
  const container = { terminal: null, pipes: { stdin, stdout, stderr }, exited }
  return { stdout, stderr, sent, exit, show: () => showOutput(container as unknown as Container, SESSION, viewer as unknown as Connection) }
}

test('output that closed before anybody looked does not keep the session from ending', async () => {
  const { stdout, stderr, sent, show } = setUp()
  stderr.resume().end()
  await once(stderr, 'close')
  stdout.end('said at once')
  await show()
  expect(sent).toEqual(['said at once'])
})

test('a slow viewer holds the agent back while it runs, and gets the rest at its end without being waited for', async () => {
  const { stdout, stderr, sent, exit, show } = setUp(2 * 1024 * 1024)
  const shown = show()
  stdout.write('first')
  await setImmediate()
  stdout.write('second')
  await setImmediate()
  expect(sent).toEqual(['first'])
  exit({ code: 0, signal: null })
  await setImmediate()
  stdout.end('last')
  stderr.end()
  await shown
  expect(sent.join('')).toBe('firstsecondlast')
})
