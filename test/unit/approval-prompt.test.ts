import { describe, expect, it } from 'vitest'
import { ApprovalRequest } from '../../shared/contract/schemas/approval.ts'
import { createApprovalPrompt, DEAF_MS } from '../../shared/host/cli/approval-prompt.ts'

const SHOWN_AT = 1_000
const AWAKE = SHOWN_AT + DEAF_MS
const WIDE = { columns: 120, rows: 40 }

const promptFor = (input: unknown, tool = 'Bash', more: Partial<ApprovalRequest> = {}) =>
  createApprovalPrompt(
    ApprovalRequest.parse({
      id: 'apr_22222222222b',
      words: null,
      foresight: null,
      grantRules: [],
      mayChange: true,
      toolCallId: 'call_22222222222b',
      sessionId: 'ses_22222222222b',
      agent: 'tester',
      tool,
      input,
      cwd: '/project',
      decision: { effect: 'ask', classification: { class: 'destructive', reasons: ['rm removes files'] }, rules: [] },
      bindingHash: 'a'.repeat(64),
      state: 'waiting',
      requestedAt: SHOWN_AT,
      expiresAt: SHOWN_AT + 60_000,
      decidedAt: null,
      reason: null,
      ...more,
    }),
    SHOWN_AT,
  )

/** The rows of a drawn screen, without what clears it. */
const rowsOf = (screen: string): string[] => screen.replace('\x1b[0m\x1b[2J\x1b[H', '').split('\r\n')
const press = (prompt: ReturnType<typeof promptFor>, key: string, now = AWAKE) => prompt.press(Buffer.from(key, 'latin1'), now)
const long = { description: 'harmless', command: Array.from({ length: 60 }, (_, i) => `echo line ${i}`).join('\n') }

describe('the question of an approval', () => {
  it('shows a short call whole, its command first, and takes a, s, d, p and k', () => {
    const prompt = promptFor({ description: 'clean up', command: 'rm -rf build' })
    const rows = rowsOf(prompt.draw(WIDE))
    expect(rows.find((row) => row.includes(': '))).toContain('Holdfast: the agent waits')
    expect(rows.findIndex((row) => row.includes('command: rm -rf build'))).toBeLessThan(rows.findIndex((row) => row.includes('description: clean up')))
    expect(rows.slice(-2).join(' ')).toContain('[a] approve once')
    expect(['a', 'S', 'd', 'p', 'k'].map((key) => press(prompt, key))).toEqual(['approve', 'approve-session', 'deny', 'deny-and-pause', 'kill'])
  })

  it('says that a yes to a host is for its connections of a minute', () => {
    const rows = rowsOf(promptFor({ host: 'example.com', port: 443 }, 'Network').draw(WIDE))
    expect(rows.slice(-2).join(' ')).toContain('[a] approve for one minute   [s] approve for this session')
    expect(rows.join()).not.toContain('approve once')
  })

  it('takes a reason for a no, which only Enter sends', () => {
    const prompt = promptFor({ command: 'rm -rf build' })
    prompt.draw(WIDE)
    expect(press(prompt, 'r')).toBe('redraw')
    for (const key of ['k', 'e', 'e', 'p', 'x', '\x7f', ' ', 'a']) expect(press(prompt, key)).toBe('redraw')
    expect(rowsOf(prompt.draw(WIDE)).join(' ')).toContain('> keep a')
    expect(press(prompt, '\x1b[?1;2c')).toBe('redraw')
    expect(press(prompt, '\r')).toEqual({ denyBecause: 'keep a' })
    press(prompt, '\x1b')
    expect(press(prompt, 'd')).toBe('deny')
  })

  it('says how often the very same call waits, and answers for those that were drawn', () => {
    const prompt = promptFor({ command: 'rm -rf build' })
    const other = ApprovalRequest.shape.id.parse('apr_22222222222c')
    prompt.draw(WIDE)
    prompt.setAlike([other])
    expect(prompt.alike()).toEqual([])
    expect(prompt.draw(WIDE)).toContain('The very same call waits 2 times: your answer is for each of them.')
    expect(prompt.alike()).toEqual([other])
  })

  it('shows what the call would do, what it touches, whether it can be put back, and what the agent said', () => {
    const foresight: ApprovalRequest['foresight'] = {
      touches: [{ kind: 'path', name: '/project/build' }],
      moreTouches: 2,
      production: true,
      preview: [{ about: 'rm -rf build', summary: 'deletes 40 files, 1.0 KiB, 1 folder', computed: true, lines: Array.from({ length: 40 }, (_, index) => `build/${index}  1 B`), more: 0 }],
      recoverable: { covered: true, why: 'a checkpoint of this moment holds all of it' },
    }
    const screen = promptFor({ command: 'rm -rf build' }, 'Bash', { foresight, words: { text: 'I clean up.\u202e', thinking: '' } }).draw(WIDE)
    for (const part of ['would     rm -rf build: deletes 40 files', 'build/10  1 B', '…and 29 more', 'touches   path /project/build', '…and 2 more', 'IT NAMES PRODUCTION', 'would bring it back: a checkpoint', 'said      I clean up.\\u{202e}'])
      expect(screen).toContain(part)
  })

  it('takes no key at first, and none that came in company', () => {
    const prompt = promptFor({ command: 'rm -rf build' })
    prompt.draw(WIDE)
    expect(press(prompt, 'aa')).toBeNull()
    expect(press(prompt, '\x1b[?1;2a')).toBeNull()
    const other = promptFor({ command: 'rm -rf build' })
    other.draw(WIDE)
    expect(press(other, 'a', AWAKE - 1)).toBeNull()
  })

  it('is answered by no key of a person who types on, nor by one that is held down', () => {
    const prompt = promptFor({ command: 'rm -rf build' })
    prompt.draw(WIDE)
    let now = SHOWN_AT
    for (const key of 'a man and his dog sat'.repeat(4)) expect(press(prompt, key, (now += DEAF_MS - 1))).toBeNull()
    expect(press(prompt, 'a', now + DEAF_MS)).toBe('approve')
  })

  it('never scrolls: every row of every page fits the terminal', () => {
    for (const size of [WIDE, { columns: 80, rows: 24 }, { columns: 40, rows: 12 }, { columns: 30, rows: 16 }]) {
      const prompt = promptFor({ command: `${'x'.repeat(3_000)}\n漢字${'宽'.repeat(400)}\n\t\tend` })
      do {
        const rows = rowsOf(prompt.draw(size))
        expect(rows.length).toBeLessThanOrEqual(size.rows)
        for (const row of rows) expect([...row].reduce((sum, character) => sum + (character > '\x7f' ? 2 : 1), 0)).toBeLessThanOrEqual(size.columns)
      } while (press(prompt, ' ') === 'redraw')
    }
  })

  it('a question longer than the screen cannot be approved before its last page was shown', () => {
    const prompt = promptFor(long)
    const first = prompt.draw(WIDE)
    expect(first).toContain('command: echo line 0')
    expect(first).toMatch(/…\d+ more lines: press space, or see "holdfast approvals apr_22222222222b"/)
    expect(first).not.toContain('[a]')
    expect([press(prompt, 'a'), press(prompt, 's'), press(prompt, 'd'), press(prompt, 'k')]).toEqual([null, null, 'deny', 'kill'])
    expect(press(prompt, ' ')).toBe('redraw')
    const last = prompt.draw(WIDE)
    expect(last).toContain('echo line 59')
    expect(last).toContain('[a] approve once')
    expect(press(prompt, 'a'), 'the last page has only just appeared').toBeNull()
    expect(press(prompt, 'a', AWAKE + DEAF_MS)).toBe('approve')
  })

  it('page up and down turn pages, and what was seen stays seen', () => {
    const prompt = promptFor(long)
    prompt.draw(WIDE)
    expect(press(prompt, '\x1b[5~'), 'there is no page before the first').toBeNull()
    expect(press(prompt, '\x1b[6~')).toBe('redraw')
    prompt.draw(WIDE)
    expect(press(prompt, '\x1b[6~'), 'nor after the last').toBeNull()
    expect(press(prompt, 'b')).toBe('redraw')
    expect(prompt.draw(WIDE)).toContain('[a] approve once')
  })

  it('a smaller terminal begins with the first page again when not all was seen', () => {
    const prompt = promptFor(long)
    prompt.draw({ columns: 120, rows: 20 })
    press(prompt, ' ')
    expect(prompt.draw({ columns: 120, rows: 20 })).not.toContain('echo line 0\r')
    expect(prompt.draw({ columns: 100, rows: 20 })).toContain('echo line 0\r')
    expect(press(prompt, 'a', AWAKE + DEAF_MS)).toBeNull()
  })

  it('a terminal too small to show anything offers no approval', () => {
    const prompt = promptFor({ command: 'rm -rf build' })
    for (const size of [{ columns: 80, rows: 5 }, { columns: 15, rows: 40 }]) {
      expect(prompt.draw(size).replaceAll('\r\n  ', '')).toContain('too small')
      expect([press(prompt, 'a'), press(prompt, ' '), press(prompt, 'd')]).toEqual([null, null, 'deny'])
    }
  })

  it('control and bidirectional characters are written out, in names too', () => {
    const screen = promptFor({ command: 'ls\x1b[2K\r\u202egnp.exe', 'a\x07b': '\u200b' }).draw(WIDE)
    expect(screen).toContain('command: ls\\u{1b}[2K\\u{d}\\u{202e}gnp.exe')
    expect(screen).toContain('a\\u{7}b: \\u{200b}')
  })
})
