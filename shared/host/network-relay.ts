import { connect, createServer } from 'node:net'

/**
 * Runs inside a container without network: passes connections to one loopback port on to a unix socket of the host.
 * The agent may end it, and is then without any network.
 */
const [port, socketPath] = process.argv.slice(-2)
if (!/^\d{1,5}$/.test(port ?? '') || !socketPath) {
  process.stderr.write('holdfast: the relay takes a port and the path of a socket.\n')
  process.exit(2)
}

const server = createServer({ allowHalfOpen: true, noDelay: true }, (inside) => {
  const host = connect({ path: socketPath, allowHalfOpen: true })
  const end = (): void => {
    inside.destroy()
    host.destroy()
  }
  inside.on('error', end)
  host.on('error', end)
  inside.pipe(host).pipe(inside)
  inside.once('close', () => host.destroy())
  host.once('close', () => inside.destroy())
})
server.listen(Number(port), '127.0.0.1', () => process.stdout.write('ready\n'))
