import { fileURLToPath } from 'node:url'
import { HoldfastError } from '../contract/errors.ts'
import { installLastResort } from '../core/containers/last-resort.ts'
import { createHost } from '../core/create-host.ts'
import { systemClock } from '../core/identifiers.ts'
import { resolvePaths } from '../core/paths.ts'
import { createKeychain } from '../core/secrets/keychain.ts'
import { forbidCoreDumps } from '../core/process-hardening.ts'

const beside = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

/** Tells the process that started this one how it went, or, with none, the log when it went wrong. Resolves when that is out. */
const tell = (message: { ready: true } | { error: string; message: string }): Promise<void> =>
  new Promise((resolve) => {
    if (process.send !== undefined && process.connected) process.send(message, () => resolve())
    else if ('error' in message) process.stderr.write(`${message.message}\n`, () => resolve())
    else resolve()
  })

try {
  forbidCoreDumps()
  const paths = resolvePaths(process.env)
  const log = (line: string): void => void process.stderr.write(`${new Date().toISOString()} ${line}\n`)
  installLastResort(paths.killFiles, log)
  const host = await createHost({
    paths,
    clock: systemClock,
    secrets: createKeychain({ service: 'holdfast', clock: systemClock }),
    ledgerKeys: createKeychain({ service: 'holdfast-ledger', clock: systemClock }),
    agentKeys: createKeychain({ service: 'holdfast-agents', clock: systemClock }),
    environment: process.env,
    programs: { shim: beside('./stdio-shim.mjs'), plainInit: beside('./plain-init.mjs'), repositoryWatcher: beside('./repository-watcher.mjs'), gitSigner: beside('./git-signer.mjs'), ledgerSender: beside('./ledger-sender.mjs'), pages: beside('../renderer') },
    log,
  })
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => void host.stop())
  void tell({ ready: true })
  await host.stopped
  process.exit(0)
} catch (error) {
  const body = error instanceof HoldfastError ? error.toBody() : { code: 'internal', message: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  await tell({ error: body.code, message: body.message })
  // What still holds the event loop open must not keep a host alive that is none.
  process.exit(1)
}
