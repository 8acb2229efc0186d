import { relayShim } from '../core/broker/shim-relay.ts'

/**
 * The agent's only MCP server: relays its standard streams to this session's socket of the host, and nothing else.
 * When the session is over it ends with an error, so that no tool call finds another way.
 */
const { HOLDFAST_BROKER_SOCKET: path, HOLDFAST_SESSION_TOKEN: token } = process.env

const end = (problem: string | null): never => {
  if (problem !== null) process.stderr.write(`holdfast: ${problem}, so no tool call goes through.\n`)
  process.exit(problem === null ? 0 : 1)
}

if (!path || !token) end('HOLDFAST_BROKER_SOCKET and HOLDFAST_SESSION_TOKEN must be set')
else {
  let hasEnded = false
  process.stdin.once('end', () => (hasEnded = true))
  process.stdout.once('error', () => process.exit(hasEnded ? 0 : 1))
  relayShim({ path, token, input: process.stdin, output: process.stdout, onEnd: end })
}
