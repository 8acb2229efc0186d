import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createRedactor } from '../../shared/domain/redact.ts'

const redact = (secret: string, text: string) => createRedactor([secret])(text)

/** No character of the marker or of JSON's own, so that what is found afterwards is the secret itself. */
const secretText = fc
  .string({ unit: fc.constantFrom(...'ABCDEFGHXYZ0189+/=&? -_ü€😀'), minLength: 8, maxLength: 60 })
  .filter((text) => text.trim().length >= 8)
const context = fc.string({ maxLength: 40 })

describe('the redactor', () => {
  test('replaces every place of a value and counts them', () => {
    expect(redact('hunter22', 'a hunter22 b hunter22')).toEqual({ text: 'a [redacted] b [redacted]', count: 2 })
  })

  test('leaves a text without a secret as it is', () => {
    expect(redact('hunter22', 'hunter2 2')).toEqual({ text: 'hunter2 2', count: 0 })
    expect(createRedactor([])('x')).toEqual({ text: 'x', count: 0 })
    expect(redact('', 'x')).toEqual({ text: 'x', count: 0 })
  })

  test.each([
    ['base64', 'cCRzcy93w7ZyZCE=', '[redacted]='],
    [
      'base64 in a longer text, one byte on',
      Buffer.from('u:p$ss/wörd!:x').toString('base64'),
      expect.stringMatching(/^.{3,4}\[redacted\].{1,4}$/),
    ],
    ['hex', '702473732f77c3b67264 21'.replace(' ', ''), '[redacted]'],
    ['upper-case hex', '702473732F77C3B6726421', '[redacted]'],
    ['URL encoding', 'p%24ss%2Fw%C3%B6rd!', '[redacted]'],
    ['URL encoding in lower case', 'p%24ss%2fw%c3%b6rd!', '[redacted]'],
    ['form encoding', new URLSearchParams({ q: 'p$ss/wörd!' }).toString(), 'q=[redacted]'],
    ['JSON with an escaped slash', '"p$ss\\/wörd!"', '"[redacted]"'],
  ])('finds a value in %s', (_form, text, expected) => {
    expect(redact('p$ss/wörd!', text)).toEqual({ text: expected, count: 1 })
  })

  test('finds a value of several lines in JSON, and in JSON inside JSON', () => {
    const key = '-----BEGIN KEY-----\nabc"def\n-----END KEY-----'
    const json = JSON.stringify({ key })
    expect(redact(key, json)).toEqual({ text: '{"key":"[redacted]"}', count: 1 })
    expect(redact(key, JSON.stringify({ body: json })).count).toBe(1)
  })

  test('leaves nothing of two secrets that overlap', () => {
    expect(createRedactor(['abcdef', 'defghi'])('>abcdefghi<')).toEqual({ text: '>[redacted]<', count: 1 })
    expect(redact('aaa', 'aaaaa')).toEqual({ text: '[redacted]', count: 1 })
  })

  test('takes every character of a secret literally', () => {
    expect(redact('a.c*$&(', 'abc a.c*$&( $&')).toEqual({ text: 'abc [redacted] $&', count: 1 })
  })

  test('does not fail on a lone surrogate', () => {
    expect(redact('abc\ud800def', 'x abc\ud800def y').text).toBe('x [redacted] y')
  })

  test('whatever stands around it, no form of a secret remains, and nothing else goes', () => {
    fc.assert(
      fc.property(secretText, context, context, (secret, before, after) => {
        const forms = [
          secret,
          encodeURIComponent(secret),
          new URLSearchParams([[secret, '']]).toString().slice(0, -1),
          Buffer.from(secret).toString('hex'),
          JSON.stringify(secret).slice(1, -1),
        ]
        for (const form of forms) {
          const { text, count } = redact(secret, before + form + after)
          expect(text.includes(form)).toBe(false)
          expect(count).toBeGreaterThanOrEqual(1)
          // Right beside it, what stands around may be part of another form: `\\` before `/`, or an `A` after `AAAAAAAA`.
          const apart = redact(secret, `${before}|${form}|${after}`)
          if (apart.count === 1) expect(apart.text).toBe(`${before}|[redacted]|${after}`)
        }
      }),
    )
  })

  test('base64 of a text that holds a secret shows less than four bytes of it, at every alignment', () => {
    fc.assert(
      fc.property(
        secretText,
        context,
        context,
        fc.constantFrom('base64' as const, 'base64url' as const),
        (secret, before, after, encoding) => {
          const { text, count } = redact(secret, Buffer.from(before + secret + after).toString(encoding))
          expect(count).toBeGreaterThanOrEqual(1)
          const shown = text
            .split('[redacted]')
            .map((part) => Buffer.from(part, encoding).toString('latin1'))
            .join('')
          const start = Buffer.from(secret).subarray(0, 4).toString('latin1')
          expect(shown.length).toBeLessThanOrEqual(Buffer.byteLength(before + after) + 4)
          if (!before.includes(secret.slice(0, 1)) && !after.includes(secret.slice(0, 1)))
            expect(shown.includes(start)).toBe(false)
        },
      ),
    )
  })
})
