import type { CommandLine } from 'electron'

const FEATURE = 'GlobalShortcutsPortal'

/** The features of a list as Chromium takes it: `Name`, `Name<Study`, `Name:parameter/value`, parted by commas. */
const namesIn = (list: string): string[] => list.split(',').map((feature) => /^[^<:]*/.exec(feature)?.[0] ?? '')

/** The features to switch on, the portal's among them: those that the user gave stay, and what the user switched off stays off. */
const withPortal = (on: string, off: string): string =>
  [...namesIn(on), ...namesIn(off)].includes(FEATURE) ? on : on === '' ? FEATURE : `${on},${FEATURE}`

/**
 * Wayland lets no program watch all keys: there the desktop's own portal is asked. Elsewhere this changes nothing. Before
 * the app is ready; Electron knows it from 35 on, and from 38 on shows itself by Wayland where the session is one.
 */
export const askPortalForKeys = (commandLine: Pick<CommandLine, 'appendSwitch' | 'getSwitchValue'>): void => {
  const features = withPortal(commandLine.getSwitchValue('enable-features'), commandLine.getSwitchValue('disable-features'))
  // The last of two is the one that counts.
  if (features !== '') commandLine.appendSwitch('enable-features', features)
}
