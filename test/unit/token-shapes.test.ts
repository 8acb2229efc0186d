import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createRedactor } from '../../shared/domain/redact.ts'
import { SHAPES, tokenSpans } from '../../shared/domain/token-shapes.ts'

const many = (text: string, length: number) => text.repeat(length).slice(0, length)
// Put together here, so that no scanner takes this file for one with secrets.
const TOKENS: readonly string[] = [
  `ghp${'_'}${many('aB3', 36)}`,
  `github${'_'}pat_${many('aB3_', 60)}`,
  `glpat${'-'}${many('aB3-', 20)}`,
  `AK${'IA'}${many('ABCDEF234567', 16)}`,
  `AI${'za'}${many('aB3_-', 35)}`,
  `sk${'-'}ant-api03-${many('aB3-_', 90)}`,
  `xox${'b-'}${many('123456-', 40)}`,
  `sk${'_'}live_${many('aB3', 24)}`,
  `npm${'_'}${many('aB3', 36)}`,
  `ey${'J'}${many('aB3', 30)}.eyJ${many('cD4', 60)}.${many('eF5-_', 43)}`,
  `-----BEGIN RSA ${'PRIVATE'} KEY-----\n${many('MIIEow/+AB\n', 300)}\n-----END RSA ${'PRIVATE'} KEY-----`,
]

test.each(TOKENS.map((token) => [token.slice(0, 12), token]))('a token such as %s is taken out wherever it stands', (_shown, token) => {
  expect(createRedactor([])(`before ${token} after`)).toEqual({ text: 'before [redacted] after', count: 1 })
  expect(createRedactor([])(JSON.stringify({ token })).count).toBe(1)
})

test.each([
  'npm_config_registry is a variable, and npm_package_name too',
  'sk-learn and task-force-based-decision-making-in-large-organisations-of-any-kind',
  'AKIA is a prefix; ghp_ is one too; eyJ begins JSON in base64',
  'https://example.com/eyJhbGciOi/eyJzdWIi',
  '-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA\n-----END PUBLIC KEY-----',
])('ordinary text stays: %s', (text) => {
  expect(tokenSpans(text)).toEqual([])
})

test('a value that is wrapped over lines is taken out, with its breaks', () => {
  const secret = 'correct-horse-battery-staple'
  const wrapped = Buffer.from(`x${secret}yz`).toString('base64').replace(/(.{20})/g, '$1\n  ')
  for (const text of ['correct-horse-\nbattery-staple', 'correct-horse-\r\n\t battery-staple', wrapped, JSON.stringify({ wrapped })]) {
    const { text: clean, count } = createRedactor([secret])(`a ${text} b`)
    expect(count).toBe(1)
    expect(clean.replaceAll(/\s/g, '')).not.toContain(Buffer.from(secret).toString('base64').slice(4, 12))
    expect(clean).not.toContain('battery')
  }
})

test('no text takes long, and none makes it throw', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => tokenSpans(text).every(({ start, end }) => start < end)))
  for (const piece of ['eyJa', '-----BEGIN PRIVATE KEY-----', 'sk-ant-', '\n', '\nx', 'ghp_']) {
    expect(createRedactor(['a-secret'])(piece.repeat(20_000 / piece.length)).count).toBeGreaterThanOrEqual(0)
  }
})

/** Tokens of a shape, no longer than they must be. */
const ofShape = ({ source }: RegExp) => fc.stringMatching(new RegExp(`^${source.replaceAll(/\\b|\(\?!.*?\]\)/g, '').replaceAll(/\{(\d+),\d{3,}\}/g, '{$1}')}$`))

test('the quick look that spares ordinary text most shapes hides no token', () => {
  const piece = fc.oneof(...SHAPES.map(([shape]) => ofShape(shape)), fc.string({ maxLength: 8 }))
  fc.assert(
    fc.property(fc.array(fc.tuple(piece, fc.nat({ max: 40 })), { maxLength: 6 }), (pieces) => {
      const text = pieces.map(([whole, cut]) => (cut > 30 ? whole.slice(cut - 30) : whole)).join(' ')
      const slow = SHAPES.flatMap(([shape]) => [...text.matchAll(shape)].map((match) => ({ start: match.index, end: match.index + match[0].length })))
      expect(tokenSpans(text)).toEqual(slow)
    }),
    { numRuns: 500 },
  )
})

test.each(SHAPES.map(([shape]) => [shape.source, shape]))('a token of the shape %s is found by it', (_, shape) => {
  const spans = fc.sample(ofShape(shape), { numRuns: 10, seed: 1 }).map((token) => tokenSpans(token))
  expect(spans).toContainEqual([expect.objectContaining({ start: 0 })])
})
