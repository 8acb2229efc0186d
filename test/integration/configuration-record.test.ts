import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createConfigurationRecord } from '../../shared/core/policy/configuration-record.ts'

interface Change {
  readonly file: string
  readonly sha256: string | null
  readonly previous: string | null
  readonly text: string | null
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
let folder = ''
let profiles = ''
let project = ''
let told: Change[]
let logged: string[]
let heard: () => void
const closers: (() => void)[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-configuration-'))
  profiles = join(folder, 'profiles')
  project = join(folder, 'project')
  mkdirSync(profiles)
  mkdirSync(project)
  told = []
  logged = []
  heard = () => undefined
})
afterEach(() => {
  for (const close of closers.splice(0)) close()
  rmSync(folder, { recursive: true })
})

const open = () => {
  const append = (_kind: string, _session: unknown, body: Change) => {
    told.push(body)
    heard()
  }
  const record = createConfigurationRecord({ ledger: { append } as never, profiles, ledgerSettings: join(folder, 'ledger.yaml'), organisationFile: join(folder, 'organisation.yaml'), stateFile: join(folder, 'seen.json'), log: (line) => void logged.push(line) })
  closers.push(record.close)
  return record
}

test('a profile and a project’s file that are new, other or gone are told with hash and text, also when no host ran meanwhile', async () => {
  const [first, second] = ['agent: one\n', 'agent: one\npolicy: { allow: ["Bash(rm:*)"] } # mine\n']
  const file = join(profiles, 'default.yaml')
  const theirs = join(project, 'holdfast.yaml')
  writeFileSync(file, first)
  const record = open()
  await record.look()
  expect(told).toEqual([{ file, sha256: sha256(first), previous: null, text: first }])
  await record.look(project)
  record.close()
  writeFileSync(file, second)
  writeFileSync(theirs, first)
  told = []
  const again = open()
  await again.look(project)
  expect(told).toEqual([
    { file, sha256: sha256(second), previous: sha256(first), text: second },
    { file: theirs, sha256: sha256(first), previous: null, text: first },
  ])
  rmSync(file)
  rmSync(theirs)
  told = []
  await again.look(project)
  expect(told).toEqual([
    { file, sha256: null, previous: sha256(second), text: null },
    { file: theirs, sha256: null, previous: sha256(first), text: null },
  ])
  expect(logged).toEqual([])
})

test('a change while the host runs is told without being asked for', async () => {
  const record = open()
  await record.look()
  const change = new Promise<void>((resolve) => (heard = resolve))
  writeFileSync(join(profiles, 'night.yaml'), 'agent: night\n')
  await change
  expect(told.map(({ file, text }) => [file, text])).toEqual([[join(profiles, 'night.yaml'), 'agent: night\n']])
})

test('no value of a server’s variables or headers is kept, nor anything of a file that cannot be read as a profile', async () => {
  const servers = { github: { command: 'x', env: { TOKEN: 'canary-1', PAT_SECRET: 'agent/pat' } }, web: { url: 'https://x.example', headers: { Authorization: 'canary-2' } } }
  writeFileSync(join(profiles, 'inline.yaml'), `agent: one\nservers: ${JSON.stringify(servers)}\n`)
  writeFileSync(join(profiles, 'broken.yaml'), 'agent: one\nservers: { x: { env: { A: canary-3\n')
  writeFileSync(join(profiles, 'other.yaml'), 'agent: two\nservers: servers.json\n')
  writeFileSync(join(profiles, 'servers.json'), JSON.stringify({ mcpServers: servers }))
  await open().look()
  expect(told.map(({ file }) => file.slice(profiles.length + 1))).toEqual(['broken.yaml', 'inline.yaml', 'other.yaml', 'servers.json'])
  expect(JSON.stringify(told)).not.toContain('canary')
  expect(told[0]?.text).toBe(null)
  expect(told[1]?.text).toContain('PAT_SECRET: agent/pat')
  expect(JSON.parse(told[3]?.text ?? '')).toMatchObject({ mcpServers: { github: { env: { TOKEN: '[value not kept]' } } } })
  expect(readFileSync(join(folder, 'seen.json'), 'utf8')).not.toContain('canary')
})

test('a project’s file that is a link is not followed', async () => {
  writeFileSync(join(folder, 'elsewhere'), 'agent: one\n')
  symlinkSync(join(folder, 'elsewhere'), join(project, 'holdfast.yaml'))
  await open().look(project)
  expect(told).toEqual([])
})

test('where the audit log is to be sent is told when it is another, with no value of its headers', async () => {
  const file = join(folder, 'ledger.yaml')
  const text = 'otlp:\n  endpoint: https://collector.example\n  headers: { x-tenant: mine, Authorization_SECRET: team/otel }\n'
  const record = open()
  writeFileSync(file, text)
  await record.look()
  writeFileSync(file, 'otlp: nonsense\n')
  await record.look()
  expect(told).toEqual([
    { file, sha256: sha256(text), previous: null, text: '{"otlp":{"endpoint":"https://collector.example","headers":["x-tenant","Authorization_SECRET"],"signals":["logs","traces","metrics"]}}' },
    { file, sha256: sha256('otlp: nonsense\n'), previous: sha256(text), text: null },
  ])
})

test('what the organisation lays down for the machine is told when it is another', async () => {
  const file = join(folder, 'organisation.yaml')
  const text = 'policy: { deny: ["Bash(terraform apply:*)"] }\n'
  writeFileSync(file, text)
  await open().look()
  expect(told).toEqual([{ file, sha256: sha256(text), previous: null, text }])
})
