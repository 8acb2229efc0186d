import { readFileSync, closeSync } from 'node:fs'
import type { Duplex } from 'node:stream'
import { HoldfastError } from '../../contract/errors.ts'
import type { ClosedNetwork } from '../ports.ts'
import { takeDescriptor } from './libc.ts'

/** How long the socket inside may take to be opened, in ms. */
const OPEN_TIMEOUT_MS = 20_000

/**
 * Runs first inside, with an environment of its own: what the command's says (LD_PRELOAD, PERL5OPT) steers nothing that
 * comes before it. Where the network is closed, it listens on the one port; tells the host by which descriptor on file 6, 0
 * for none; and becomes the command at the host's word, which brings the command's variables and is whole or nothing. A
 * socket stays in the network it was made in, whoever holds it. Perl, as it starts in 2 ms and git brings it; AF_INET and
 * SOCK_STREAM are 2 and 1 (packed as in ip(7)).
 */
const OPENER = `
my $port = shift;
open(my $host, "+<&=", 6) or exit 125;
my $way;
if ($port) {
  socket($way, 2, 1, 0) or exit 125;
  bind($way, pack("SnC4x8", 2, $port, 127, 0, 0, 1)) and listen($way, 256) or exit 125;
}
syswrite($host, ($port ? fileno($way) : 0) . "\\n");
my $word = "";
while (sysread($host, $word, 65536, length $word)) {}
$word =~ s/\\0go\\n\\z// or exit 125;
%ENV = map { split /=/, $_, 2 } split /\\0/, $word;
exec { $ARGV[0] } @ARGV or print STDERR "$ARGV[0]: $!\\n";
exit 127`

/** What to put before a command so that it waits for the host, with its way out open where it has one. */
export const openerArguments = (network: ClosedNetwork | string, perl: string): string[] => [perl, '-e', OPENER, typeof network === 'string' ? '0' : String(network.port)]

/** Has the command begin, with these variables and no others. */
export const letGo = (opener: Duplex, env: Readonly<Record<string, string>>): void =>
  void opener.end(`${Object.entries(env).map(([name, value]) => `${name}=${value}`).join('\0')}\0go\n`)

/** The number that the opener says; null when it ended, or took too long. */
export const descriptorSaid = (opener: Duplex): Promise<number | null> =>
  new Promise((resolve) => {
    const late = setTimeout(() => resolve(null), OPEN_TIMEOUT_MS)
    opener.once('data', (said: Buffer) => resolve(Number(said.toString()))).once('close', () => resolve(null))
    opener.once('close', () => clearTimeout(late)).once('data', () => clearTimeout(late))
  })

/**
 * Takes the socket out of the container, to be served by this process: nothing of the way out is in the agent's hands.
 * `init` is the namespace's first process, whose only child is the opener. Throws HoldfastError `container-unavailable`.
 */
export const serveWayOut = async (network: ClosedNetwork, init: number, descriptor: number): Promise<void> => {
  let taken: number
  try {
    const [opener = 0] = readFileSync(`/proc/${init}/task/${init}/children`, 'latin1').trim().split(' ').map(Number)
    taken = takeDescriptor(opener, descriptor)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new HoldfastError('container-unavailable', `This system cannot give a container a way to Holdfast alone (${why}): Linux 5.6 or newer can. To go without, say network: { mode: open } in your profile.`, { cause })
  }
  try {
    await network.listen({ fd: taken })
  } catch (error) {
    closeSync(taken)
    throw error
  }
}
