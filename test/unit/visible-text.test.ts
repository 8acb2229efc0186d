import { expect, test } from 'vitest'
import { visibleText } from '../../shared/domain/visible-text.ts'

test('what a terminal or a page would hide or obey is written out', () => {
  expect(visibleText('rm \u001b[2K-rf')).toBe('rm \\u{1b}[2K-rf')
  expect(visibleText('a\u202eb\u200bc\ufeffd')).toBe('a\\u{202e}b\\u{200b}c\\u{feff}d')
  expect(visibleText('x\u00a0y\u3000z\u2028')).toBe('x\\u{a0}y\\u{3000}z\\u{2028}')
  expect(visibleText('\u{e0041}\r\b')).toBe('\\u{e0041}\\u{d}\\u{8}')
  expect(visibleText('lone \ud800 half')).toBe('lone \\u{d800} half')
})

test('ordinary text, line feeds and tabs stay as they are', () => {
  expect(visibleText('grün\n\t日本語 — “quoted” ✓ 🎉')).toBe('grün\n\t日本語 — “quoted” ✓ 🎉')
})
