import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createToolPins, type ToolPins } from '../../shared/core/broker/tool-pins.ts'
import { FIXTURE_SERVER, openHarness } from '../fixtures/servers/broker-session.ts'
import type { Harness } from '../fixtures/servers/broker-session.ts'
import { createMemoryLedger } from '../support/fakes.ts'

let folder: string
let pins: ToolPins
let harness: Harness
const ledger = createMemoryLedger()
const script = (name: string, text: string): void => {
  writeFileSync(join(folder, 'bin', name), `#!/bin/sh\n${text}\n`)
  chmodSync(join(folder, 'bin', name), 0o755)
}
/** What the registry answers from now on; nothing when it cannot be reached. */
const registryHas = (version: string | null, integrity = 'sha512-abc') =>
  script(
    'npm',
    `[ "$1" = config ] && echo https://registry.example/ && exit\n${version === null ? 'exit 1' : `echo '${JSON.stringify({ name: 'a-server', version, 'dist.integrity': integrity })}'`}`,
  )
const open = async (): Promise<string> => {
  harness = await openHarness(
    { s: { command: 'npx', args: ['-y', 'a-server', '--read-only'] } },
    { cwd: join(folder, 'project'), deps: { toolPins: pins, environment: { PATH: `${join(folder, 'project/bin')}:${join(folder, 'bin')}:/usr/bin:/bin`, HOME: folder } } },
  )
  await (await harness.agent()).client.listTools()
  const { state, message } = harness.session.servers()[0] ?? {}
  await harness.close()
  return message ?? state ?? ''
}
const ran = () => readFileSync(join(folder, 'ran'), 'utf8').trim()

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-package-'))
  for (const name of ['bin', 'project']) mkdirSync(join(folder, name))
  script('npx', `echo "$* $npm_config_registry" > ${join(folder, 'ran')}\nexec ${process.execPath} ${FIXTURE_SERVER}`)
  pins = createToolPins({ file: join(folder, 'pins.json'), clock: { now: () => 0 }, ledger, raiseAlarm: () => undefined })
})
afterEach(() => rmSync(folder, { recursive: true }))

test('an unpinned package runs in the exact version of its first use, from the user’s own registry', async () => {
  registryHas('1.2.3')
  expect(await open()).toBe('ready')
  expect(ran()).toBe('-y a-server@1.2.3 --read-only https://registry.example/')
  expect(pins.list()[0]?.package).toEqual({ name: 'a-server', version: '1.2.3', integrity: 'sha512-abc' })
  expect(ledger.entries.filter(({ kind }) => kind === 'server/pinned').map(({ body }) => body['package'])).toContainEqual({ name: 'a-server', version: '1.2.3', integrity: 'sha512-abc' })
  registryHas('2.0.0', 'sha512-abc')
  expect(await open()).toBe('ready')
  expect(ran()).toContain('a-server@1.2.3')
})

test('is asked about by no npm, and by no program that npm starts, which the agent could have put there', async () => {
  registryHas('1.2.3')
  script('npm', `#!/bin/sh\nhelper\n${readFileSync(join(folder, 'bin/npm'), 'utf8')}`)
  mkdirSync(join(folder, 'project/bin'))
  for (const name of ['npm', 'helper']) {
    writeFileSync(join(folder, 'project/bin', name), `#!/bin/sh\ntouch ${join(folder, 'planted-ran')}\nexec ${join(folder, 'bin/npm')} "$@"\n`)
    chmodSync(join(folder, 'project/bin', name), 0o755)
  }
  expect(await open()).toBe('ready')
  expect(existsSync(join(folder, 'planted-ran'))).toBe(false)
})

test('other content under the same version does not run', async () => {
  registryHas('1.2.3')
  await open()
  rmSync(join(folder, 'ran'))
  registryHas('1.2.3', 'sha512-evil')
  expect(await open()).toContain('a-server@1.2.3 is not what it was at its first use')
  expect(ran).toThrow('ENOENT')
})

test('a registry that does not answer stops the first use alone', async () => {
  registryHas(null)
  expect(await open()).toContain('npm does not find the package a-server')
  registryHas('1.2.3')
  await open()
  registryHas(null)
  expect(await open()).toBe('ready')
  expect(ran()).toContain('a-server@1.2.3')
})
