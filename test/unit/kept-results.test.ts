import type { ContentBlock } from '@modelcontextprotocol/server'
import { describe, expect, test } from 'vitest'
import { createKeptResults, MAX_SHOWN_CHARACTERS } from '../../shared/core/broker/kept-results.ts'
import { heldBytes } from '../support/memory.ts'

const text = (value: string): ContentBlock => ({ type: 'text', text: value })

describe('results that are too long for one answer', () => {
  test('one that is not stays the same list', () => {
    const content = [text('a'), text('b')]
    expect(createKeptResults(() => {}).shorten('t', content)).toBe(content)
  })

  test('the rest can be read to its last character, part by part', () => {
    let told = 0
    const kept = createKeptResults(() => void (told += 1))
    const whole = Array.from({ length: 60_000 }, (_, i) => `line ${i}😀`).join('\n')
    const [shown, note, link] = kept.shorten('db__query', [text(whole)])
    expect(shown?.type === 'text' && shown.text.length).toBeLessThanOrEqual(MAX_SHOWN_CHARACTERS)
    expect(note).toMatchObject({ type: 'text', text: expect.stringContaining('holdfast://result/') })
    expect(told).toBe(1)
    expect(kept.list()).toMatchObject([{ name: 'rest of db__query' }])

    let read = shown?.type === 'text' ? shown.text : ''
    let uri = link?.type === 'resource_link' ? link.uri : null
    while (uri !== null) {
      const part = (kept.read(uri)?.contents[0] ?? {}) as { text?: string }
      const [, body = part.text ?? '', next] = /^([^]*)\n\[Holdfast: \d+ characters are left, in (\S+)\]$/.exec(part.text ?? '') ?? []
      read += body
      uri = next ?? null
    }
    expect(read === whole).toBe(true)
  })

  test('pictures stay, and text after a long one goes to the rest', () => {
    const image: ContentBlock = { type: 'image', data: 'AAAA', mimeType: 'image/png' }
    const blocks = createKeptResults(() => {}).shorten('t', [text('x'.repeat(MAX_SHOWN_CHARACTERS)), image, text('late')])
    expect(blocks.map(({ type }) => type)).toEqual(['text', 'image', 'text', 'resource_link'])
  })

  test('no more is kept than a session may: the oldest goes first', () => {
    const kept = createKeptResults(() => {})
    for (let i = 0; i < 5; i += 1) kept.shorten(`t${i}`, [text('x'.repeat(10_000_000))])
    expect(kept.list().map(({ name }) => name)).toEqual(['rest of t2', 'rest of t3', 'rest of t4'])
  })

  test('of many results that are a little too long, a thousand are kept, and of each no more than its rest', () => {
    const kept = createKeptResults(() => {})
    const before = heldBytes()
    for (let i = 0; i < 1_100; i += 1) kept.shorten(`t${i}`, [text('x'.repeat(MAX_SHOWN_CHARACTERS + 20))])
    expect(kept.list()).toHaveLength(1_000)
    expect(heldBytes() - before).toBeLessThan(5_000_000)
  })

  test.each(['holdfast://result/', 'holdfast://result/aaaaaaaaaaaa', 'file:///etc/passwd', ''])('%j is not one of them', (uri) => {
    expect(createKeptResults(() => {}).read(uri)).toBeNull()
  })
})
