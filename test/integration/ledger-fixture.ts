import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { hash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import BetterSqlite3 from 'better-sqlite3'
import { afterAll, beforeAll } from 'vitest'
import { SessionId, ToolCallId } from '../../shared/contract/ids.ts'
import { openLedger } from '../../shared/core/ledger/ledger.ts'
import { generateKey, signerOf } from '../../shared/core/ledger/signing.ts'

export const CHILD = new URL('../fixtures/ledger-child.ts', import.meta.url).pathname
export const hasStrace = spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0
export const sha256 = (text: string): string => hash('sha256', text)
export const isRoot = process.getuid?.() === 0
export const ONE = SessionId.parse('ses_bcdfghjkmnpq')
export const TWO = SessionId.parse('ses_222222222222')

export let scratch = ''
let count = 0
export const newFile = (): string => {
  count += 1
  const folder = join(scratch, String(count))
  mkdirSync(folder)
  return join(folder, 'ledger.db')
}
export const open = (file: string) => openLedger({ file, clock: { now: () => 1_700_000_000_000 } })
export const signer = signerOf(generateKey())
export const TRUST = { trustedKey: signer.publicKey, anchors: [], problem: null }
export const CALL = ToolCallId.parse('call_222222222222')
export const fill = (file: string, entries: number): void => {
  const ledger = open(file)
  for (let n = 1; n <= entries; n += 1) {
    if (n % 2 === 0) ledger.append('tool-call/outcome', TWO, { toolCallId: CALL, ok: true, summary: 'Bash', durationMs: 1, n })
    else ledger.append('alarm/raised', ONE, { message: 'Bash', n })
  }
  ledger.close()
}
export const seal = (file: string): void => {
  const ledger = open(file)
  ledger.seal(signer)
  ledger.close()
}
export const editing = (file: string, edit: (database: BetterSqlite3.Database) => void): void => {
  const database = new BetterSqlite3(file)
  for (const trigger of ['entry_insert', 'entry_update', 'entry_delete']) database.exec(`DROP TRIGGER ${trigger}`)
  edit(database)
  database.close()
}
export const verified = async (file: string): Promise<string[]> => {
  const ledger = open(file)
  const { faults } = await ledger.verify(TRUST)
  ledger.close()
  return faults.map(({ sequence, problem }) => `${sequence} ${problem}`)
}
const children: ChildProcess[] = []
export const startChild = (mode: 'hold' | 'load', file: string) => {
  const child = spawn(process.execPath, [CHILD, mode, file], { env: {}, stdio: ['pipe', 'pipe', 'inherit'] })
  children.push(child)
  return child
}
export const firstLine = async (child: ReturnType<typeof startChild>): Promise<string> => {
  for await (const line of createInterface({ input: child.stdout })) return line
  return ''
}

const mounted: string[] = []
export const mountTmpfs = (options: string): string => {
  const folder = join(scratch, `mount-${mounted.length}`)
  mkdirSync(folder)
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder], { stdio: 'pipe' })
  mounted.push(folder)
  return folder
}

beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'holdfast-ledger-'))
})
afterAll(() => {
  for (const child of children) child.kill('SIGKILL')
  for (const folder of mounted) execFileSync('umount', [folder])
  rmSync(scratch, { recursive: true, force: true })
})
