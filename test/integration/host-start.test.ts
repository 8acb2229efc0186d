import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test } from 'vitest'
import { createHost } from '../../shared/core/create-host.ts'
import { createMemorySecrets } from '../../shared/core/demo/memory-secrets.ts'
import { systemClock } from '../../shared/core/identifiers.ts'
import { openLedger } from '../../shared/core/ledger/ledger.ts'
import { resolvePaths } from '../../shared/core/paths.ts'

const HOST_MAIN = fileURLToPath(new URL('../../shared/host/host-main.ts', import.meta.url))

const folder = mkdtempSync(join(tmpdir(), 'hf-'))
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** A home whose socket's path is too long: found out late, when nearly everything is open. */
const tooLong = (): string => join(folder, 'a-long-name-'.repeat(8))

test('a host that fails late while it starts closes what it had opened, and says why', async () => {
  const paths = resolvePaths({ HOLDFAST_HOME: tooLong() })
  const starting = createHost({
    paths,
    clock: systemClock,
    secrets: createMemorySecrets(systemClock, {}),
    ledgerKeys: createMemorySecrets(systemClock, {}),
      agentKeys: createMemorySecrets(systemClock, {}),
    environment: {},
    programs: { shim: '/none', plainInit: '/none', repositoryWatcher: '/none', gitSigner: '/none', ledgerSender: '/none', pages: '/none' },
    log: () => undefined,
  })
  await expect(starting).rejects.toThrow('Set HOLDFAST_HOME to a folder with a shorter path')
  const ledger = openLedger({ file: paths.ledger, clock: systemClock })
  expect(ledger.tail(10).entries.map(({ kind }) => kind)).toEqual(['host/started', 'host/stopped', 'ledger/sealed'])
  ledger.close()
})

test.each([
  ['to the process that started it', 'ipc'],
  ['in its log', 'ignore'],
] as const)('its process tells the failure %s, and ends with code 1', async (_, channel) => {
  const child = spawn(process.execPath, [HOST_MAIN], { env: { HOLDFAST_HOME: tooLong(), PATH: '/usr/bin:/bin' }, stdio: ['ignore', 'ignore', 'pipe', channel] })
  let told = ''
  child.on('message', (message) => (told += JSON.stringify(message)))
  child.stderr?.on('data', (chunk: Buffer) => (told += chunk.toString()))
  const [code] = (await once(child, 'close')) as [number | null]
  expect(told).toContain('Set HOLDFAST_HOME to a folder with a shorter path')
  expect(code).toBe(1)
})
