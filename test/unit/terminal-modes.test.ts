import { expect, it } from 'vitest'
import { createTerminalModes } from '../../shared/host/cli/terminal-modes.ts'

const LEAVE = '\x1b[?1049l'
const follow = (...chunks: string[]) => {
  const modes = createTerminalModes()
  for (const chunk of chunks) modes.follow(Buffer.from(chunk, 'latin1'))
  return modes
}

it('the alternate screen is left once when the program is in it, and never when it is not', () => {
  expect(follow('hello').reset()).not.toContain(LEAVE)
  expect(follow('\x1b[?1049h').reset()).toContain(LEAVE)
  expect(follow('\x1b[?1049h', 'text', '\x1b[?1049l').reset()).not.toContain(LEAVE)
  const modes = follow('\x1b[?1049h')
  modes.reset()
  expect(modes.reset()).not.toContain(LEAVE)
})

it('a sequence cut between two chunks, or among others, is seen', () => {
  expect(follow('a\x1b[?10', '49hb').reset()).toContain(LEAVE)
  expect(follow('a\x1b', '[?25;1049;2004h').reset()).toContain(LEAVE)
  expect(follow('\x1b[?47h').reset()).toContain(LEAVE)
})

it('a question enters the alternate screen only where the program is not in it', () => {
  expect(follow('plain').enter()).toContain('\x1b[?1049h')
  expect(follow('plain').leave()).toContain(LEAVE)
  expect(follow('\x1b[?1049h').enter()).not.toContain('\x1b[?1049h')
  expect(follow('\x1b[?1049h').leave()).not.toContain(LEAVE)
})

it('a question first ends whatever the program left open, and frees the screen of all that hides or moves what is written', () => {
  const entered = follow('\x1bP').enter()
  expect(entered).toMatch(/^\x18\x1b\\/)
  for (const sequence of ['\x1b[?2026l', '\x1b[?6l', '\x1b[?69l', '\x1b[r', '\x1b[4l', '\x1b[?7h', '\x1b(B', '\x0f']) expect(entered).toContain(sequence)
  expect(entered.indexOf('\x1b[r')).toBeGreaterThan(entered.indexOf('\x1b[?1049h'))
  expect(follow('\x1bP').reset()).toMatch(/^\x18\x1b\\/)
})

it('the reset takes back mouse, paste, keyboard, colour and cursor', () => {
  for (const sequence of ['\x1b[?1000l', '\x1b[?1003l', '\x1b[?1006l', '\x1b[?2004l', '\x1b[=0u', '\x1b[0m', '\x1b[?25h']) {
    expect(follow('').reset()).toContain(sequence)
  }
})
