import type { Parts } from '../parts.ts'
import { hotkeyLabel, hotkeyOf, killStep, type KillStep } from './kill-press.ts'

export interface KillSwitch {
  /** The keys as the user presses them, or null when another program has them. */
  readonly keys: string | null
  /** What the system calls at each press. */
  press(): void
}

/** Registers the kill switch with the system; `step` is told what each press means. */
export const registerKillSwitch = (
  { globalShortcut }: Pick<Parts, 'globalShortcut'>,
  wanted: unknown,
  platform: string,
  step: (step: KillStep) => void,
): KillSwitch => {
  const accelerator = hotkeyOf(wanted)
  let lastAt: number | null = null
  let hasLocked = false
  const press = (): void => {
    const now = performance.now()
    const next = killStep(lastAt === null ? null : now - lastAt, hasLocked)
    lastAt = now
    if (next === null) return
    hasLocked = next === 'kill-and-lock'
    step(next)
  }
  return { keys: globalShortcut.register(accelerator, press) ? hotkeyLabel(accelerator, platform) : null, press }
}
