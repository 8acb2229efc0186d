import { spawnSync } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'

/** A terminal program in tmux: a real pty with a screen that can be read. */
export interface TerminalProgram {
  screen(): string
  /** Types text, or a key by tmux's name for it (`Enter`, `Escape`). */
  press(...keys: string[]): void
  type(text: string): void
  /** Resolves with the screen once it shows the text; throws with the screen after 40 s. */
  shows(text: string | RegExp): Promise<string>
  /** What tmux knows of the terminal, by its own formats: `#{alternate_on}`. */
  state(format: string): string
  end(): void
}

const SCREEN_POLL_MS = 50
const SHOWS_WITHIN_MS = 40_000
let started = 0

export const startInTerminal = (name: string, command: readonly string[], options: { env: Readonly<Record<string, string>>; cwd: string }): TerminalProgram => {
  // A server that was told to end may still take the next command of its name.
  const server = `${name}-${(started += 1)}`
  const tmux = (...args: string[]): string => {
    const { stdout, status, stderr } = spawnSync('tmux', ['-L', server, '-f', '/dev/null', ...args], { encoding: 'utf8', env: { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent', TERM: 'xterm-256color', LANG: 'C.UTF-8' } })
    if (status !== 0) throw new Error(`tmux ${args.join(' ')}: ${stderr}`)
    return stdout
  }
  const environment = Object.entries(options.env).map(([key, value]) => `${key}=${value}`)
  // tmux may miss the end of its child (3.3a): so the pane itself says with what the command ended, and stays.
  const sayEnd = '"$@"; printf "\\nended with %s\\n" $?; exec cat'
  tmux('new-session', '-d', '-x', '120', '-y', '40', '-c', options.cwd, 'sh', '-c', sayEnd, 'sh', 'env', '-i', ...environment, ...command)
  const screen = (): string => tmux('capture-pane', '-p')
  return {
    screen,
    press: (...keys) => void tmux('send-keys', ...keys),
    type: (text) => void tmux('send-keys', '-l', text),
    shows: async (text) => {
      const deadline = Date.now() + SHOWS_WITHIN_MS
      for (;;) {
        const now = screen()
        if (typeof text === 'string' ? now.includes(text) : text.test(now)) return now
        if (Date.now() > deadline) throw new Error(`the terminal never showed ${String(text)}:\n${now}`)
        await delay(SCREEN_POLL_MS)
      }
    },
    state: (format) => tmux('display-message', '-p', format).trim(),
    end: () => {
      const group = Number(tmux('display-message', '-p', '#{pane_pid}'))
      tmux('kill-server')
      // Told that its terminal has gone, a program may still write, and make its folder anew.
      try {
        process.kill(-group, 'SIGKILL')
      } catch {
        // It has ended.
      }
    },
  }
}
