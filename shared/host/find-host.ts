import type { FoundHost } from '../contract/schemas/host.ts'
import { HoldfastError } from '../contract/errors.ts'
import { resolvePaths } from '../core/paths.ts'
import { readEndpoint } from '../core/transports/endpoint-file.ts'
import { askToHandOver } from './cli/hand-over.ts'
import { reportError } from './cli/output.ts'
import { connectHost } from './cli/with-host.ts'

// For a shell that is no Node program of ours: starts the host if none runs, and prints the way to it as one line of
// JSON. The token goes through a pipe, never an argument.
try {
  const paths = resolvePaths(process.env)
  await askToHandOver(paths)
  const client = await connectHost(paths)
  client.close()
  const endpoint = await readEndpoint(paths.run)
  if (endpoint === null) throw new HoldfastError('no-host', 'The host ended just after it had started. Try again.')
  const found: FoundHost = { socketPath: endpoint.socketPath, token: endpoint.token }
  process.stdout.write(`${JSON.stringify(found)}\n`)
} catch (error) {
  process.exitCode = reportError(error, true)
}
