import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Parts } from './parts.ts'

/** An argument of an entry's Exec. Source: Desktop Entry Specification, "The Exec key" and "Value types". */
const quoted = (argument: string): string => `"${argument.replace(/["`$\\]/g, '\\$&').replaceAll('%', '%%')}"`
const asString = (value: string): string => value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')

/** What a Linux desktop starts at login. Without its program, which TryExec names, it is as if it were not there. */
export const autostartEntry = (program: string): string =>
  [
    '[Desktop Entry]',
    'Type=Application',
    'Name=Holdfast',
    'Comment=The supervisor for AI agents, in the tray',
    `TryExec=${asString(program)}`,
    `Exec=${asString(`${quoted(program)} --background`)}`,
    'Icon=holdfast-app',
    'X-GNOME-Autostart-enabled=true',
    '',
  ].join('\n')

export interface StartAtLogin {
  isOn(): boolean
  set(on: boolean): void
}

/**
 * Whether the installed app starts with the user's desktop. `program` is what to start, null in a checkout, which is
 * never started so: then there is nothing to set.
 */
export const createStartAtLogin = (
  app: Parts['app'],
  platform: string,
  program: string | null,
  configFolder: string,
): StartAtLogin | null => {
  if (program === null) return null
  if (platform !== 'linux') {
    const args = ['--background']
    return { isOn: () => app.getLoginItemSettings({ args }).openAtLogin, set: (on) => app.setLoginItemSettings({ openAtLogin: on, args }) }
  }
  const file = join(configFolder, 'autostart', 'holdfast-app.desktop')
  return {
    isOn: () => existsSync(file),
    set: (on) => {
      if (!on) return rmSync(file, { force: true })
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, autostartEntry(program))
    },
  }
}
