import { expect, it } from 'vitest'
import { readLines } from '../../shared/host/cli/read-lines.ts'

const linesOf = async (chunks: readonly string[], maxBytes = 10) => {
  const stream = (async function* () {
    for (const chunk of chunks) yield Buffer.from(chunk)
  })()
  const lines: [number, string | null][] = []
  for await (const { number, text } of readLines(stream, maxBytes)) lines.push([number, text])
  return lines
}

it('lines are counted, however the stream is cut', async () => {
  expect(await linesOf(['a\nb', 'c\r\n', '\n', 'd'])).toEqual([
    [1, 'a'],
    [2, 'bc'],
    [3, ''],
    [4, 'd'],
  ])
})

it('a character cut between two chunks is whole', async () => {
  const bytes = Buffer.from('é\n')
  const stream = (async function* () {
    yield bytes.subarray(0, 1)
    yield bytes.subarray(1)
  })()
  expect((await readLines(stream, 10).next()).value).toEqual({ number: 1, text: 'é' })
})

it('a line that is too long is told, and the ones after it are read', async () => {
  expect(await linesOf(['12345678', '9012', '345\nok\n12345678901'])).toEqual([
    [1, null],
    [2, 'ok'],
    [3, null],
  ])
})
