/**
 * Checkpoints of generated repositories beside what people use today, in one run on one disk.
 *
 *   node test/bench/checkpoint.ts [files …]                              default: 1000 10000 100000, which takes some minutes
 *   node test/bench/checkpoint.ts --in FOLDER --generate [files …]       makes the repositories only, on a machine that may be busy
 *   node test/bench/checkpoint.ts --in FOLDER [files …]                  goes on with those
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { setTimeout as after } from 'node:timers/promises'
import { createScratch, gitIn, openStore, SESSION } from '../integration/checkpoint-fixture.ts'

const { values: options, positionals } = parseArgs({ allowPositionals: true, options: { in: { type: 'string' }, generate: { type: 'boolean', default: false } } })
const sizes = positionals.length > 0 ? positionals.map(Number) : [1_000, 10_000, 100_000]
const ROUNDS = 5
/** A file is trusted by its times only once they are this old: warm means older. */
const SETTLE_MS = 2_500

const generate = async (root: string, count: number): Promise<void> => {
  if (existsSync(root)) return
  mkdirSync(root, { recursive: true })
  gitIn(root, 'init', '-q', '--initial-branch=main')
  for (let index = 0; index < count; index += 1) {
    const folder = join(root, `p${index % 20}`, `m${Math.floor(index / 20) % 50}`)
    if (index < 1_000) mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, `f${index}.ts`), `export const value${index} = ${index}\n`.repeat(1 + (index % 60)))
  }
  gitIn(root, 'add', '-A')
  gitIn(root, 'commit', '-q', '-m', 'generated')
  gitIn(root, 'gc', '-q')
  await after(SETTLE_MS)
  gitIn(root, 'update-index', '--refresh')
}

/** Where the repository of that size is, or is to be. */
const place = (count: number): { folder: string; remove: () => void } => {
  if (options.in === undefined) return createScratch()
  const folder = join(options.in, String(count))
  mkdirSync(folder, { recursive: true })
  return { folder: realpathSync(folder), remove: () => options.generate || rmSync(folder, { recursive: true }) }
}

const median = (times: number[]): number => times.sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? NaN
const timed = async (work: () => unknown): Promise<number> => {
  const begun = performance.now()
  await work()
  return performance.now() - begun
}
const several = async (work: () => unknown, between: () => unknown = () => undefined, rounds = ROUNDS): Promise<number> => {
  const times: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    await between()
    times.push(await timed(work))
  }
  return median(times)
}
const diskKiB = (folder: string): number => Number(execFileSync('du', ['-sk', folder], { encoding: 'utf8' }).split('\t')[0])

for (const count of sizes) {
  const scratch = place(count)
  try {
    const root = join(scratch.folder, 'project')
    await generate(root, count)
    if (options.generate) continue
    const file = (index: number): string => join(root, `p${index % 20}`, `m${Math.floor(index / 20) % 50}`, `f${index}.ts`)
    const edit = (many: number, text: string): void => {
      for (let index = 0; index < many; index += 1) writeFileSync(file(index), `${text} ${index} ${Math.random()}\n`)
    }

    const folder = join(scratch.folder, 'store')
    const store = openStore(folder)
    const create = () => store.create({ sessionId: SESSION, root, reason: 'on-demand' })
    // The repository's own objects count once: the store's hard links to them take no room.
    const before = diskKiB(scratch.folder)
    let status = NaN
    const print = (what: string, ms: number): void => console.log(`${what.padEnd(42)} ${ms.toFixed(0).padStart(7)} ms   ${(ms / status).toFixed(1).padStart(6)} × git status`)
    const first = await timed(create)
    const stored = diskKiB(scratch.folder) - before
    await after(SETTLE_MS)
    await create()
    await create()
    const warm = diskKiB(scratch.folder) - before
    console.log(`\n${count} files; median of ${ROUNDS}; the first checkpoint took ${stored} KiB, with what makes the next ones quick ${warm} KiB`)
    status = await several(() => gitIn(root, 'status', '--porcelain'))
    print('git status', status)
    print('checkpoint, first', first)
    print('checkpoint, unchanged', await several(create))
    print('checkpoint, unchanged, host just started', await several(() => openStore(folder).create({ sessionId: SESSION, root, reason: 'on-demand' })))
    print('checkpoint, one file changed', await several(create, () => edit(1, 'one')))
    gitIn(root, 'checkout', '-q', '.')
    const target = (await create()).id
    const revert = await several(
      () => store.revert({ sessionId: SESSION, target }),
      async () => {
        edit(100, 'agent')
        await create()
      },
    )
    print('revert of 100 files', revert)
    print('git stash -u of 100 files', await several(() => gitIn(root, 'stash', '-q', '-u'), () => edit(100, 'stash')))
    const copy = join(scratch.folder, 'copy')
    print('cp -a --reflink=auto, once', await timed(() => execFileSync('cp', ['-a', '--reflink=auto', root, copy])))
    console.log(`the copy took ${diskKiB(copy)} KiB`)
  } finally {
    scratch.remove()
  }
}
