import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createRedactor } from '../../shared/core/broker/redactor.ts'
import { exposedToolName } from '../../shared/core/broker/tool-catalog.ts'

describe('the name of a brokered tool', () => {
  test('is server__tool where models take that', () => {
    expect(exposedToolName('github-scoped', 'create_pr')).toBe('github-scoped__create_pr')
  })

  test('is replaced and marked with a hash where it has other characters', () => {
    expect(exposedToolName('my server', 'files/read')).toMatch(/^my_server__files_read_[0-9a-f]{8}$/)
    expect(exposedToolName('my server', 'files/read')).not.toBe(exposedToolName('my server', 'files.read'))
  })

  test('with the agent’s prefix is never longer than 64 characters, nor outside what models take', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 64 }), fc.string({ maxLength: 128 }), (server, tool) => {
        expect(`mcp__holdfast__${exposedToolName(server, tool)}`).toMatch(/^[A-Za-z0-9_-]{1,64}$/)
      }),
    )
  })
})

describe('the redactor', () => {
  const secret = 'p@ss "w0rd"/é+'
  const redactor = createRedactor()
  redactor.know(secret)

  test.each([
    ['plain', secret],
    ['in JSON', JSON.stringify({ secret })],
    ['in a URL', encodeURIComponent(secret)],
    ['in hex', Buffer.from(secret).toString('hex')],
    ['in upper-case hex', Buffer.from(secret).toString('hex').toUpperCase()],
    ['in base64 after one byte', Buffer.from(`x${secret}yz`).toString('base64')],
    ['in base64 after two bytes', Buffer.from(`xx${secret}y`).toString('base64')],
    ['in base64url', Buffer.from(`xxx${secret}`).toString('base64url')],
  ])('takes out a known value %s', (_how, text) => {
    const clean = redactor.text(`before ${text} after`)
    expect(clean).toMatch(/^before .*\[redacted\].* after$/)
    expect(clean).not.toContain(text)
  })

  test('takes it out of keys and values at any depth, and leaves the rest as it is', () => {
    const value = { a: [1, null, true, { [secret]: `x${secret}` }] }
    expect(redactor.json(value)).toEqual({ a: [1, null, true, { '[redacted]': 'x[redacted]' }] })
  })

  test('leaves text without a known value as it is', () => {
    fc.assert(fc.property(fc.string({ maxLength: 12 }), (text) => redactor.text(text) === text))
  })
})
