/** Puts back what a program may have set in a terminal and left set; none of it moves the cursor or clears anything. */
const RESET = [
  ...['\x1b[?1000l', '\x1b[?1002l', '\x1b[?1003l', '\x1b[?1005l', '\x1b[?1006l', '\x1b[?1015l', '\x1b[?1004l'], // mouse and focus reports
  '\x1b[?2004l', // bracketed paste
  ...['\x1b[=0u', '\x1b[>4m'], // kitty keyboard, modifyOtherKeys
  ...['\x1b[?1l', '\x1b>'], // cursor keys, keypad
  ...['\x1b[?2026l', '\x1b[4l', '\x1b[?7h'], // held drawing, insert mode, line wrap
  ...['\x1b7', '\x1b[r', '\x1b8'], // scroll region: setting it moves the cursor
  ...['\x1b(B', '\x0f', '\x1b[0m', '\x1b[?25h'], // characters, colours, cursor
].join('')

/** Ends a sequence or a string that the program began and left open, which would swallow what comes next (CAN, ST), and VT52 mode. */
const BROKEN_OFF = '\x18\x1b\\\x1b<'

/**
 * Makes the next words show as they are, whatever the program left: a person would else answer what it drew itself, with
 * the question swallowed, or scrolled away in a region of a few rows.
 */
const FREE = [
  ...['\x1b[?2026l', '\x1b[?6l', '\x1b[?69l', '\x1b[r'], // held drawing, lines counted from a region, side margins, region
  ...['\x1b[4l', '\x1b[20l', '\x1b[?7h', '\x1b[0"q'], // insert mode, new line mode, line wrap, text that no clearing erases
  ...['\x1b(B', '\x1b)B', '\x0f'], // characters
].join('')

const ENTER_ALTERNATE = '\x1b[?1049h'
const LEAVE_ALTERNATE = '\x1b[?1049l'
/** Of the kitty keyboard protocol: every key as itself meanwhile. */
const PLAIN_KEYS = '\x1b[>0u'
const KEYS_AS_BEFORE = '\x1b[<u'
/** `CSI ? … h` or `l`, the numbers between. */
const PRIVATE_MODE = /\x1b\[\?([\d;]{1,40})([hl])/g
const ALTERNATE_MODES = ['47', '1047', '1049']
/** Longest beginning of such a sequence that may wait for the next chunk. */
const LONGEST_SEQUENCE = 48

/** What must be known of a terminal to lend it to a program and have it back. */
export interface TerminalModes {
  /** Takes note of what the program writes. */
  follow(data: Buffer): void
  /** What to write to show something of our own over the program's screen, and to go back to that. */
  enter(): string
  leave(): string
  /** What to write when the program has ended, so that the next one finds the terminal in order. */
  reset(): string
}

export const createTerminalModes = (): TerminalModes => {
  let inAlternate = false
  let tail = ''
  return {
    follow: (data) => {
      const text = tail + data.toString('latin1')
      for (const [, modes = '', set] of text.matchAll(PRIVATE_MODE)) {
        if (modes.split(';').some((mode) => ALTERNATE_MODES.includes(mode))) inAlternate = set === 'h'
      }
      const begun = text.lastIndexOf('\x1b')
      tail = begun === -1 || text.length - begun > LONGEST_SEQUENCE ? '' : text.slice(begun)
    },
    // What frees the screen moves the cursor: entering keeps it first.
    enter: () => `${BROKEN_OFF}${inAlternate ? '' : ENTER_ALTERNATE}${FREE}${PLAIN_KEYS}`,
    leave: () => `${KEYS_AS_BEFORE}${inAlternate ? '\x1b[2J\x1b[H' : LEAVE_ALTERNATE}`,
    reset: () => {
      const left = inAlternate ? LEAVE_ALTERNATE : ''
      inAlternate = false
      return `${BROKEN_OFF}${left}${RESET}`
    },
  }
}
