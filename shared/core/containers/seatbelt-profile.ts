import type { ContainerSpec } from '../ports.ts'

/** What the tools of the system read; nothing in it is a user's. */
const SYSTEM = ['/System', '/usr', '/bin', '/sbin', '/Library', '/opt', '/dev', '/private/etc', '/private/var/db/timezone', '/private/var/select']
/** Opened by every program to print, wait and draw random numbers. */
const DEVICES = ['/dev/null', '/dev/zero', '/dev/tty', '/dev/random', '/dev/urandom', '/dev/ptmx', '/dev/fd']
/** Users, time zones, names and logs; not the keychain (com.apple.SecurityServer), the pasteboard or Apple events. */
const SERVICES = ['com.apple.system.opendirectoryd.libinfo', 'com.apple.system.notification_center', 'com.apple.system.logger', 'com.apple.trustd.agent', 'com.apple.dnssd.service']

/** A string of the profile's Scheme. Throws where a path holds what no string of it can. */
const quote = (text: string): string => {
  if (/\p{Cc}/u.test(text)) throw new Error('a path with control characters cannot be named in a Seatbelt profile')
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
}
const subpaths = (files: readonly string[]): string => files.map((file) => `(subpath ${quote(file)})`).join(' ')
const rule = (what: string, files: readonly string[]): string[] => (files.length === 0 ? [] : [`(${what} ${subpaths(files)})`])

/**
 * A Seatbelt profile (the language of `sandbox-exec -p`): closed by default; of two rules the later wins, so what is
 * read-only inside a writable folder comes after it, and what is hidden last. Paths must be real: macOS matches them with
 * links resolved (`/private/tmp`, not `/tmp`).
 */
export const seatbeltProfile = ({ writable, readable, hidden, home }: Pick<ContainerSpec, 'writable' | 'readable' | 'hidden' | 'home'>): string =>
  [
    '(version 1)',
    '(deny default)',
    '(allow process-exec)',
    '(allow process-fork)',
    '(allow signal (target same-sandbox))',
    '(allow process-info* (target same-sandbox))',
    '(allow sysctl-read)',
    '(allow pseudo-tty)',
    '(allow network*)',
    `(allow mach-lookup ${SERVICES.map((name) => `(global-name ${quote(name)})`).join(' ')})`,
    '(allow file-read-metadata)',
    ...rule('allow file-read*', [...SYSTEM, ...readable]),
    ...rule('allow file-read* file-write*', [...writable, home, ...DEVICES]),
    ...rule('deny file-write*', readable),
    ...rule('deny file-read* file-write*', hidden),
    '',
  ].join('\n')
