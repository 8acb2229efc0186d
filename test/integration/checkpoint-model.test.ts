import fc from 'fast-check'
import { randomBytes } from 'node:crypto'
import {
  appendFileSync, chmodSync, existsSync, lstatSync, mkdirSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { formatId, SessionId } from '../../shared/contract/ids.ts'
import { createRepository, createScratch, filesBelow, gitIn, openStore, stateOf } from './checkpoint-fixture.ts'

/** How many random histories to try: raise it for a long run. */
const RUNS = Number(process.env['HOLDFAST_CHECKPOINT_RUNS'] ?? 500)
const CHAIN = 10
/** Where there is one, a disk in memory: these histories are many and small. */
const FAST_DISK = existsSync('/dev/shm') ? '/dev/shm' : undefined
const LIMITS = { file: 1_000_000, ignoredFile: 100_000 }
/** Too large to be kept, and so never taken back. */
const LEFT_OUT = ['huge']
const TIME_LIMIT = Math.max(60_000, RUNS * 2_000)

const NAMES = [
  'a', 'b.txt', 'dir', 'dir/c', 'dir/deep/d', 'DIR/c', 'A', 'new\nline', 'ünï/cödé', 'n'.repeat(255), '-dash', '"q"', '.env', 'x.log', 'sub/.git~/x', 'nested/a', 'nested/b',
]
const name = fc.constantFrom(...NAMES)
const text = fc.constantFrom('', 'one\n', 'two\n', 'a\r\nb', '\0\xff', 'long '.repeat(2_000))

const operation = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('write' as const), name, text }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('append' as const), name, text }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('remove' as const), name }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('rename' as const), name, to: name }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('chmod' as const), name, mode: fc.constantFrom(0o600, 0o755, 0o444, 0o750) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('link' as const), name, to: name }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('folder' as const), name }) },
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant('git' as const),
      args: fc.constantFrom(
        ['add', '-A'], ['add', '-f', '.env'], ['rm', '-q', '--cached', '-r', '.'], ['commit', '-q', '-m', 'more', '--allow-empty'], ['commit', '-q', '-a', '-m', 'all'],
        ['commit', '-q', '--amend', '-m', 'amended', '--allow-empty'], ['branch', 'topic'], ['branch', '-D', 'topic'], ['checkout', '-q', '-b', 'topic/deep'],
        ['checkout', '-q', '-f', 'main'], ['checkout', '-q', '-f', 'topic'], ['checkout', '-q', '--detach'], ['reset', '-q', '--hard', 'HEAD~1'],
        ['reset', '-q', 'HEAD~1'], ['tag', 'v1'], ['tag', '-a', '-m', 'two', 'v2'], ['stash', '-q'], ['stash', '-q', '-u'], ['stash', 'pop', '-q'], ['stash', 'drop', '-q'],
        ['merge', '-q', 'topic'], ['rebase', '-q', 'topic'], ['pack-refs', '--all'], ['gc', '-q', '--prune=now'], ['reflog', 'expire', '--expire=now', '--all'],
        ['init', '-q', 'nested'], ['-C', 'nested', 'commit', '-q', '--allow-empty', '-m', 'inner'], ['worktree', 'add', '-q', 'tree', 'HEAD'], ['worktree', 'prune'],
        ['-C', 'module', 'commit', '-q', '--allow-empty', '-m', 'in the module'], ['submodule', '--quiet', 'deinit', '-f', 'module'], ['submodule', '--quiet', 'update', '--init'],
        ['-C', 'tree', 'commit', '-q', '--allow-empty', '-m', 'in the tree'], ['worktree', 'remove', '--force', 'tree'], ['mv', 'a', 'A'], ['mv', 'dir', 'DIR'], ['cherry-pick', 'topic'],
        ['update-index', '--split-index'], ['clean', '-q', '-f', '-d', '-x'], ['config', 'user.name', 'Someone'], ['update-ref', '-d', 'HEAD'], ['symbolic-ref', 'HEAD', 'refs/heads/unborn'],
        ['-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', '../library', 'module'], ['repack', '-q', '-a', '-d'],
      ),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('no-git' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('huge' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('away' as const), name }) },
)
type Operation = typeof operation extends fc.Arbitrary<infer Value> ? Value : never

/** Does what it can: an operation that makes no sense here fails, as it would for a user, and the history goes on. */
const perform = (root: string, step: Operation): void => {
  const at = (path: string): string => join(root, path)
  try {
    if (step.do === 'git') gitIn(root, ...step.args)
    else if (step.do === 'huge') {
      appendFileSync(at('huge'), '')
      truncateSync(at('huge'), 2 * 1024 ** 3)
    }
    else if (step.do === 'away') {
      const outside = `${root}-away-${randomBytes(4).toString('hex')}`
      renameSync(at(step.name), outside)
      symlinkSync(outside, at(step.name))
    } else if (step.do === 'no-git') rmSync(at('.git'), { recursive: true, force: true })
    else {
      mkdirSync(dirname(at(step.name)), { recursive: true })
      if (step.do === 'write') writeFileSync(at(step.name), step.text, 'latin1')
      if (step.do === 'append') appendFileSync(at(step.name), step.text, 'latin1')
      if (step.do === 'remove') rmSync(at(step.name), { recursive: true, force: true })
      if (step.do === 'rename') renameSync(at(step.name), at(step.to))
      if (step.do === 'chmod' && !lstatSync(at(step.name)).isSymbolicLink()) chmodSync(at(step.name), step.mode)
      if (step.do === 'link') symlinkSync(step.to, at(step.name))
      if (step.do === 'folder') mkdirSync(at(step.name), { recursive: true })
    }
  } catch {
    // It made no sense here.
  }
}

/** The state, with git's own words where there is a git left to ask. */
const observe = (root: string): { files: Record<string, string>; git?: string } => {
  try {
    return stateOf(root, LEFT_OUT)
  } catch {
    return { files: filesBelow(root, LEFT_OUT) }
  }
}

const history = fc.array(operation, { minLength: 1, maxLength: 10 })
/** Histories that follow each other in one repository, each a session of its own that starts where the last one ended. */
const chain = fc.array(fc.record({ users: history, agents: history }), { minLength: CHAIN, maxLength: CHAIN })

test(
  `whatever the user and then the agent did, kill and undo give back each byte, mode, ref and index entry (${RUNS} histories)`,
  async () => {
    const scratch = createScratch(FAST_DISK)
    const library = join(scratch.folder, 'library')
    createRepository(library)
    gitIn(library, 'commit', '-q', '--allow-empty', '-m', 'library')
    let run = 0
    try {
      await fc.assert(
        fc.asyncProperty(chain, async (histories) => {
          run += 1
          const root = join(scratch.folder, `run-${run}`)
          const store = openStore(join(scratch.folder, `store-${run}`), LIMITS)
          createRepository(root)
          writeFileSync(join(root, '.gitignore'), '.env\n*.log\nhuge\n')
          gitIn(root, 'add', '-A')
          gitIn(root, 'commit', '-q', '-m', 'first')
          for (const { users, agents } of histories) {
            const sessionId = SessionId.parse(formatId('ses', randomBytes(12)))
            mkdirSync(root, { recursive: true })
            for (const step of users) perform(root, step)
            const started = observe(root)
            const checkpoint = await store.create({ sessionId, root, reason: 'start' })
            for (const step of agents) perform(root, step)
            const killed = filesBelow(root, LEFT_OUT)
            const report = await store.revert({ sessionId, target: checkpoint.id })
            expect(observe(root)).toEqual(started)
            expect(report.conflicts).toEqual([])
            const undone = await store.undo({ sessionId }).catch((error: { code: string }) => error.code)
            expect(filesBelow(root, LEFT_OUT)).toEqual(killed)
            if (undone === 'nothing-to-undo') expect(killed).toEqual(started.files)
            await store.mark({ sessionId, state: 'over' })
          }
          rmSync(root, { recursive: true })
          rmSync(join(scratch.folder, `store-${run}`), { recursive: true })
        }),
        { numRuns: Math.ceil(RUNS / CHAIN), endOnFailure: process.env['HOLDFAST_CHECKPOINT_RUNS'] === undefined },
      )
    } finally {
      scratch.remove()
    }
  },
  TIME_LIMIT,
)
