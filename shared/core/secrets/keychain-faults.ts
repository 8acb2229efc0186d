import { HoldfastError } from '../../contract/errors.ts'

/** What the native library (2.1.2, Linux) says, by what is wrong; the first that matches decides. */
const FAULTS: readonly { readonly says: RegExp; readonly message: string }[] = [
  {
    says: /not provided by any \.service files|has no owner|ServiceUnknown/i,
    message:
      'No keychain runs on this session bus. Install and start one, such as gnome-keyring or KWallet. ' +
      'Holdfast keeps secrets nowhere else.',
  },
  {
    says: /autolaunch|failed to connect to socket|unable to autolaunch|no secret service provider or dbus session/i,
    message:
      'There is no session bus to reach the keychain by. Run Holdfast in a desktop session, or under ' +
      'dbus-run-session with a keychain started in it. Holdfast keeps secrets nowhere else.',
  },
  {
    says: /no result found/i,
    message:
      'The keychain has no default keyring yet. Create one (in Seahorse: File, New, Password Keyring), then try again.',
  },
  { says: /locked/i, message: 'The keychain is locked. Unlock it, then try again.' },
]

const DISMISSED = 'The keychain is locked, and its question for the password was dismissed. Try again and answer it.'
const CANNOT_ASK =
  'The keychain is locked, and without a display it cannot ask for the password. Unlock it, then try again.'

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** Whether the connection behind a kept entry has ended since: the keychain's daemon or the bus was restarted. */
export const isStaleConnection = (error: unknown): boolean =>
  /session does not exist|connection is closed|was disconnected|did not receive a reply/i.test(textOf(error))

/** HoldfastError `secret-unavailable`, saying what is wrong and what to do. The library's messages hold no secret. */
export const keychainFault = (error: unknown): HoldfastError => {
  if (error instanceof HoldfastError) return error
  const text = textOf(error)
  const hasDisplay = process.env['DISPLAY'] !== undefined || process.env['WAYLAND_DISPLAY'] !== undefined
  const message = /dismissed/i.test(text)
    ? hasDisplay
      ? DISMISSED
      : CANNOT_ASK
    : (FAULTS.find(({ says }) => says.test(text))?.message ?? `The keychain failed: ${text.slice(0, 300)}`)
  return new HoldfastError('secret-unavailable', message, { cause: error })
}
