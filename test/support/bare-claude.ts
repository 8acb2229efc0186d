import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { seedConfiguration } from '../../shared/core/agents/claude-code/settings.ts'

/** The real Claude Code, held by nothing of ours but the gateway. */
export const CLAUDE = fileURLToPath(new URL('../node_modules/@anthropic-ai/claude-code-linux-x64/claude', import.meta.url))
export const hasClaude = existsSync(CLAUDE)

export interface Place {
  readonly home: string
  readonly cwd: string
  close(): void
}

/** A home and a project of a test's own. */
export const createPlace = (): Place => {
  const home = mkdtempSync(join(tmpdir(), 'holdfast-gateway-'))
  const cwd = join(home, 'project')
  mkdirSync(join(cwd, '.claude'), { recursive: true })
  writeFileSync(join(cwd, 'a.txt'), 'alpha\n')
  writeFileSync(join(home, '.claude.json'), JSON.stringify(seedConfiguration(null, cwd)))
  // An agent whose terminal was closed may still be at its last write.
  return { home, cwd, close: () => rmSync(home, { recursive: true, force: true, maxRetries: 10 }) }
}

export const claudeEnv = (baseUrl: string, { home }: Place): Record<string, string> => ({
  PATH: '/usr/bin:/bin',
  HOME: home,
  TERM: 'xterm-256color',
  ANTHROPIC_BASE_URL: baseUrl,
  ANTHROPIC_AUTH_TOKEN: 'session-token',
  CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
  CLAUDE_CODE_MAX_OUTPUT_TOKENS: '16000',
})

const run = promisify(execFile)

/** Runs one prompt to its end; never rejects. */
export const runClaude = (baseUrl: string, place: Place, args: readonly string[]): Promise<{ stdout: string }> => {
  const running = run(CLAUDE, ['-p', ...args, '--model', 'claude-opus-5-5', '--output-format', 'json'], { cwd: place.cwd, env: claudeEnv(baseUrl, place) })
  running.child.stdin?.end()
  return running.catch((error: unknown) => error as { stdout: string })
}
