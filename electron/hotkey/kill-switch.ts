import type { Parts } from '../parts.ts'
import { hotkeyLabel, hotkeyOf, killStep } from './kill-press.ts'

/**
 * Registers the kill switch with the system. Gives its keys as the user presses them, or null when another program has
 * them; `press` is told what each press means.
 */
export const registerKillSwitch = (
  { globalShortcut }: Pick<Parts, 'globalShortcut'>,
  wanted: unknown,
  platform: string,
  press: (step: ReturnType<typeof killStep>) => void,
): string | null => {
  const accelerator = hotkeyOf(wanted)
  let lastAt: number | null = null
  const registered = globalShortcut.register(accelerator, () => {
    const now = performance.now()
    const step = killStep(lastAt === null ? null : now - lastAt)
    lastAt = now
    press(step)
  })
  return registered ? hotkeyLabel(accelerator, platform) : null
}
