import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openLedger } from '../../shared/core/ledger/ledger.ts'
import type { LedgerEntry } from '../../shared/contract/schemas/ledger.ts'
import { wholeCalls } from '../support/strace.ts'

const CHILD = new URL('../fixtures/ledger-child.ts', import.meta.url).pathname
const hasStrace = spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0
/** A full run has 300; each needs a process of its own to start. How soon it is back is in test/bench/ledger-restart.ts. */
const KILLS = Number(process.env['HOLDFAST_LEDGER_KILLS'] ?? 30)

let folder = ''
const children = new Set<ChildProcess>()
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-crash-'))
})
afterAll(() => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

const clock = { now: Date.now }
const entriesAfter = (file: string, from: number): LedgerEntry[] => {
  const ledger = openLedger({ file, clock })
  const all: LedgerEntry[] = []
  for (let after: number | null = from; after !== null; ) {
    const page = ledger.read({ after, limit: 10_000 })
    all.push(...page.entries)
    after = page.next
  }
  ledger.close()
  return all
}

/** Runs the load and kills it `afterBytes` of what it has said. Resolves with that. */
const runAndKill = async (file: string, afterBytes: number): Promise<string> => {
  const child = spawn(process.execPath, [CHILD, 'load', file], { env: {}, stdio: ['ignore', 'pipe', 'inherit'] })
  children.add(child)
  let said = ''
  child.stdout.setEncoding('utf8')
  for await (const text of child.stdout as AsyncIterable<string>) {
    said += text
    if (said.length > afterBytes) child.kill('SIGKILL')
  }
  children.delete(child)
  return said
}

test(
  `${KILLS} times killed with SIGKILL under the load of 20 sessions, it has every acknowledged entry, an intent for every call that ran, and verifies`,
  async () => {
    const lane = async (name: string, kills: number): Promise<void> => {
      const file = join(folder, `${name}.db`)
      let known = 0
      for (let kill = 0; kill < kills; kill += 1) {
        const whole = (await runAndKill(file, Math.floor(Math.random() * 12_000))).split('\n').slice(0, -1)
        const acknowledged = Math.max(known, ...whole.filter((line) => /^\d+$/.test(line)).map(Number))
        const ran = whole.flatMap((line) => (line.startsWith('run ') ? [line.slice(4)] : []))
        const ledger = openLedger({ file, clock })
        const verification = await ledger.verify()
        ledger.close()
        expect(verification.faults).toEqual([])
        expect(verification.entries).toBeGreaterThanOrEqual(acknowledged)
        const intents = new Set(entriesAfter(file, known).flatMap(({ kind, body }) => (kind === 'tool-call/intent' ? [body['toolCallId']] : [])))
        expect(ran.filter((id) => !intents.has(id))).toEqual([])
        known = verification.entries
      }
    }
    await Promise.all([lane('a', Math.ceil(KILLS / 2)), lane('b', Math.floor(KILLS / 2))])
  },
  1_800_000,
)

interface Change {
  readonly at: number
  readonly bytes: Buffer
}

/** What the disk holds at each acknowledgement when every write that was not synced by then is lost. */
const durableImages = (trace: string, file: string): { acknowledged: number; files: Map<string, Buffer> }[] => {
  const names = new Map<string, string>()
  const durable = new Map<string, Buffer>()
  const pending = new Map<string, Change[]>()
  let unlinked: string[] = []
  const images: { acknowledged: number; files: Map<string, Buffer> }[] = []
  const bytesOf = (hex: string): Buffer => Buffer.from(hex.replaceAll('\\x', ''), 'hex')
  for (const line of wholeCalls(trace)) {
    const opened = /openat\([^,]+, "([^"]*)".* = (\d+)$/.exec(line)
    if (opened?.[1] !== undefined && opened[2] !== undefined) names.set(opened[2], bytesOf(opened[1]).toString())
    const written = /pwrite64\((\d+), "([^"]*)", \d+, (\d+)\)/.exec(line)
    if (written?.[1] !== undefined) {
      const name = names.get(written[1]) ?? ''
      pending.set(name, [...(pending.get(name) ?? []), { at: Number(written[3]), bytes: bytesOf(written[2] ?? '') }])
    }
    const gone = /unlink(?:at)?\((?:AT_FDCWD, )?"([^"]*)"/.exec(line)
    if (gone?.[1] !== undefined) unlinked.push(bytesOf(gone[1]).toString())
    const synced = /(?:fsync|fdatasync)\((\d+)\)/.exec(line)
    if (synced?.[1] !== undefined) {
      const name = names.get(synced[1]) ?? ''
      if (!name.startsWith(file)) {
        // The folder: what was removed from it stays removed.
        for (const lost of unlinked) durable.delete(lost)
        unlinked = []
        continue
      }
      let image = durable.get(name) ?? Buffer.alloc(0)
      for (const { at, bytes } of pending.get(name) ?? []) {
        if (image.length < at + bytes.length) image = Buffer.concat([image, Buffer.alloc(at + bytes.length - image.length)])
        else image = Buffer.from(image)
        bytes.copy(image, at)
      }
      pending.delete(name)
      durable.set(name, image)
    }
    const acknowledged = /write\(1, "((?:\\x3\d)+)\\x0a"/.exec(line)
    if (acknowledged?.[1] !== undefined) images.push({ acknowledged: Number(bytesOf(acknowledged[1]).toString()), files: new Map(durable) })
  }
  return images
}

test.skipIf(!hasStrace).each([
  ['one after the other', ['load', '30'], 60],
  ['at once, sharing a sync', ['soon', '4'], 84],
] as const)('a loss of power that drops every write not yet synced loses no acknowledged entry, appended %s', async (_, [mode, count], entries) => {
  const file = join(folder, `power-${mode}.db`)
  const trace = join(folder, `trace-${mode}`)
  const traced = ['-f', '-xx', '-s', '1000000', '-e', 'trace=openat,unlink,unlinkat,pwrite64,write,fsync,fdatasync', '-o', trace]
  expect(spawnSync('strace', [...traced, process.execPath, CHILD, mode, file, count], { env: {} }).status).toBe(0)
  const images = durableImages(readFileSync(trace, 'utf8'), file)
  expect(images.map(({ acknowledged }) => acknowledged).toSorted((a, b) => a - b)).toEqual(Array.from({ length: entries }, (__, n) => n + 1))
  for (const { acknowledged, files } of images) {
    const place = join(folder, `power-${acknowledged}`)
    mkdirSync(place)
    for (const [name, bytes] of files) if (name.startsWith(file) && !name.includes('.head')) writeFileSync(name.replace(file, join(place, 'ledger.db')), bytes)
    writeFileSync(join(place, 'ledger.db.head'), JSON.stringify({ sequence: 0, hash: '0'.repeat(64) }))
    const ledger = openLedger({ file: join(place, 'ledger.db'), clock })
    const found = await ledger.verify()
    expect([found.ok, found.entries >= acknowledged]).toEqual([true, true])
    if (mode === 'load') expect(found.entries).toBe(acknowledged)
    ledger.close()
    rmSync(place, { recursive: true })
  }
})
