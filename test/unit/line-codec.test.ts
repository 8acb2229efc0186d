import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeLine, encodeLine } from '../../shared/core/broker/line-codec.ts'

const LONG = 'x'.repeat(5_000)
const back = (text: string): string => encodeLine(decodeLine(text) as object)
/** Escapes and none, keys that objects treat otherwise, numbers that JSON has not, and characters that only look like an end of a string. */
const line = fc.tuple(fc.constantFrom('params', 'result', 'other'), fc.json({ stringUnit: 'binary' }), fc.json(), fc.boolean()).map(([where, one, two, isLong]) => {
  const inner = `{"__proto__":${one},"n":[1e400,-0,1.50,12345678901234567890],"two":${two},"odd":"\u2028\u2029\u007f\ufffd😀"${isLong ? `,"long":"${LONG}"` : ''}}`
  return where === 'params' ? `{"id":1,"params":{"name":"é","arguments":${inner},"_meta":${one}},"x":"q"}` : `{"jsonrpc":"2.0","${where}":${inner},"result2":${two}}`
})

test('a message that is passed on is written as JSON.stringify writes it', () => {
  fc.assert(
    fc.property(line, (text) => {
      expect(back(text)).toBe(JSON.stringify(JSON.parse(text)))
    }),
    { numRuns: 2_000 },
  )
})

test('parts of received messages are written the same in a message made anew', () => {
  fc.assert(
    fc.property(line, (text) => {
      const { params, result } = decodeLine(text) as { params?: { arguments: unknown }; result?: unknown }
      const anew = { jsonrpc: '2.0', id: 'a"\\\n', method: undefined, ...(params === undefined ? {} : { params: { name: '"}', arguments: params.arguments, _meta: { s: '\ud800' } } }), ...(result === undefined ? {} : { result }) }
      expect(encodeLine(anew)).toBe(JSON.stringify(anew))
    }),
    { numRuns: 2_000 },
  )
})

test('a long text with an escape in it, and one made by others, keep their escapes', () => {
  const quote = `{"result":{"text":"${LONG}\\u0022,\\"isError\\":false\\n"}}`
  expect(back(quote)).toBe(JSON.stringify(JSON.parse(quote)))
  const { result } = decodeLine(`{"result":{"text":"${LONG}"}}`) as { result: object }
  expect(encodeLine({ result: { ...result, text: 'a"b' } })).toBe('{"result":{"text":"a\\"b"}}')
})
