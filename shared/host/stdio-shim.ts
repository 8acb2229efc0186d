import { connect } from 'node:net'

/**
 * The agent's only MCP server: relays its standard streams to this session's socket of the host, and nothing else.
 * When the host is gone it ends with an error, so that no tool call finds another way.
 */
const { HOLDFAST_BROKER_SOCKET: path, HOLDFAST_SESSION_TOKEN: token } = process.env

const fail: (problem: string) => never = (problem) => {
  process.stderr.write(`holdfast: ${problem}, so no tool call goes through.\n`)
  process.exit(1)
}

if (!path || !token) fail('HOLDFAST_BROKER_SOCKET and HOLDFAST_SESSION_TOKEN must be set')

const socket = connect(path)
let done = false
process.stdin.once('end', () => (done = true))
process.stdout.once('error', () => process.exit(done ? 0 : 1))
socket.once('error', (error: NodeJS.ErrnoException) => fail(`the host cannot be reached (${error.code})`))
socket.once('close', () => (done ? process.exit(0) : fail('the host refused or ended this connection')))
socket.write(`${token}\n`)
process.stdin.pipe(socket)
socket.pipe(process.stdout)
