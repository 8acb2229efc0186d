import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import type { Connection } from '../../shared/core/api/dispatcher.ts'
import type { Container } from '../../shared/core/ports.ts'
import { showOutput } from '../../shared/core/supervisor/viewer.ts'
import { SESSION } from '../support/fakes.ts'

test('output that closed before anybody looked does not keep the session from ending', async () => {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
  stderr.resume().end()
  await once(stderr, 'close')
  stdout.end('said at once')
  const sent: unknown[] = []
  const viewer = { onDrain: () => undefined, onClose: () => undefined, bufferedBytes: 0, send: (_: string, data: unknown) => void sent.push(data) } as unknown as Connection
  await showOutput({ terminal: null, pipes: { stdin, stdout, stderr } } as unknown as Container, SESSION, viewer)
  expect(sent).toEqual([{ sessionId: SESSION, stream: 'stdout', data: Buffer.from('said at once').toString('base64') }])
})
