import type { ContainerExit } from '../ports.ts'
import type { KillFile } from './kill-file.ts'

/** What the host tells a plain container's first process: once, when the kill file is in place. */
export interface PlainLaunch {
  readonly handle: KillFile
  readonly command: readonly [string, ...string[]]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  /** Whether the command already gets a terminal session of its own, from setsid. */
  readonly hasTerminal: boolean
}

/** What it answers: one of the first two, then, after `started`, `exited`. */
export type PlainReport =
  | { readonly kind: 'started'; readonly pid: number }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'exited'; readonly exit: ContainerExit }
