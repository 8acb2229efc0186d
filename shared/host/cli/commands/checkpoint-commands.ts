import type { Command } from 'commander'
import { HoldfastError } from '../../../contract/errors.ts'
import { CheckpointId } from '../../../contract/ids.ts'
import type { CommandResult } from '../../../contract/protocol.ts'
import type { Checkpoint, CheckpointUsage, FileChange } from '../../../contract/schemas/checkpoint.ts'
import { formatCount, formatDuration } from '../../../domain/format.ts'
import { visibleText } from '../../../domain/visible-text.ts'
import { table } from '../output.ts'
import { examples, outputOf } from '../program-output.ts'
import { restoreLines } from '../render.ts'
import { withHost } from '../with-host.ts'
import { parseSessionId } from './session-commands.ts'

const listLines = (checkpoints: readonly Checkpoint[], now: number): string[] =>
  checkpoints.length === 0
    ? ['No checkpoints are kept of this session.']
    : table([
        ['CHECKPOINT', 'REASON', 'AGE', 'FILES', 'LEFT OUT', 'PINNED', 'FOLDER'],
        ...checkpoints.map(({ id, reason, takenAt, fileCount, leftOut, pinned, root }) => [
          ...[id, reason, formatDuration(now - takenAt), formatCount(fileCount), formatCount(leftOut.length), pinned ? 'yes' : '-'],
          visibleText(root),
        ]),
      ])

const parseCheckpointId = (text: string): CheckpointId => {
  const parsed = CheckpointId.safeParse(text)
  if (!parsed.success) throw new HoldfastError('bad-params', `"${text}" is not a checkpoint's id: those look like chk_ and 12 letters or digits. "holdfast checkpoint list SESSION" lists them.`)
  return parsed.data
}

const BY: Readonly<Record<NonNullable<FileChange['by']>, string>> = { session: 'by the session', other: 'not by the session', both: 'by the session and others' }

const roomOf = (bytes: number): string => `${formatCount(Math.ceil(bytes / 1024))} KiB`

const diskLine = ({ root, checkpoints, bytes, sharedBytes }: CheckpointUsage): string =>
  `${formatCount(checkpoints)} checkpoints of ${visibleText(root)} take ${roomOf(bytes)} on disk; ${roomOf(sharedBytes)} more are shared with its repository.`

const diffLines = ({ diff, irreversible }: CommandResult<'checkpoint/diff'>): string[] => {
  const { counts, changes, omitted, refsMoved } = diff
  const kept = counts.leftAlone + counts.conflicts
  return [
    `From ${diff.from} to ${diff.to ?? 'now'}: ${formatCount(counts.added)} added, ${formatCount(counts.modified)} modified, ${formatCount(counts.deleted)} deleted.`,
    ...changes.map(({ path, change, by }) => `  ${change.padEnd(11)}  ${visibleText(path)}${by === null ? '' : `  (${BY[by]})`}`),
    ...(omitted === 0 ? [] : [`  and ${formatCount(omitted)} more`]),
    ...refsMoved.map((ref) => `  moved        ${visibleText(ref)}`),
    ...(kept === 0 ? [] : [`A revert leaves ${formatCount(kept)} of these as they are, since not the session alone changed them.`]),
    ...irreversible.map(({ tool, what }) => `No checkpoint takes back: ${visibleText(tool)}: ${visibleText(what)}`),
  ]
}

const addComparing = (checkpoint: Command): void => {
  checkpoint
    .command('diff')
    .summary('say what changed since a checkpoint, and who changed it')
    .argument('<session>', 'the session')
    .argument('[from]', 'a checkpoint (default: the one from its start)')
    .argument('[to]', 'a later one (default: the folder as it is now)')
    .addHelpText('after', examples('holdfast checkpoint diff ses_7k2m9x4tqwzb', 'holdfast checkpoint diff ses_7k2m9x4tqwzb chk_3n8v5c2hjrsd chk_9p4t6w7xzbgf'))
    .action(async (id: string, from: string | undefined, to: string | undefined, _options: unknown, self: Command) => {
      const sessionId = parseSessionId(id)
      const result = await withHost(async (client) => {
        const start = async (): Promise<CheckpointId> => {
          const { checkpoints } = await client.call('checkpoint/list', { sessionId })
          const first = checkpoints.find(({ reason }) => reason === 'start')
          if (first === undefined) throw new HoldfastError('not-found', `No checkpoint of the start of ${sessionId} is kept. Name one that is: holdfast checkpoint list ${sessionId}`)
          return first.id
        }
        return client.call('checkpoint/diff', { sessionId, from: from === undefined ? await start() : parseCheckpointId(from), to: to === undefined ? null : parseCheckpointId(to) })
      })
      outputOf(self).result(result, diffLines(result))
    })

  checkpoint
    .command('restore')
    .summary('bring the folder, or files of it, back to a checkpoint')
    .description('Takes back what the session changed since; with paths, these files and folders whoever changed them. What is there now is kept first: "holdfast undo" brings it back.')
    .argument('<session>', 'the session')
    .argument('<checkpoint>', 'where to go back to')
    .argument('[paths...]', "files and folders, from the checkpoint's folder")
    .addHelpText('after', examples('holdfast checkpoint restore ses_7k2m9x4tqwzb chk_3n8v5c2hjrsd', 'holdfast checkpoint restore ses_7k2m9x4tqwzb chk_3n8v5c2hjrsd src/index.ts'))
    .action(async (id: string, target: string, paths: string[], _options: unknown, self: Command) => {
      const sessionId = parseSessionId(id)
      const chosen = paths.length === 0 ? {} : { paths }
      const report = await withHost((client) => client.call('checkpoint/restore', { sessionId, target: parseCheckpointId(target), ...chosen }))
      outputOf(self).result(report, [...restoreLines(report), `To take that back: holdfast undo ${sessionId}`])
    })
}

const addKeeping = (checkpoint: Command): void => {
  for (const [verb, summary, pinned] of [
    ['pin', 'keep a checkpoint for good', true],
    ['unpin', 'let a checkpoint go when room is needed', false],
  ] as const) {
    checkpoint
      .command(verb)
      .summary(summary)
      .argument('<session>', 'the session')
      .argument('<checkpoint>', 'which of its checkpoints')
      .addHelpText('after', examples(`holdfast checkpoint ${verb} ses_7k2m9x4tqwzb chk_3n8v5c2hjrsd`))
      .action(async (id: string, target: string, _options: unknown, self: Command) => {
        const params = { sessionId: parseSessionId(id), checkpointId: parseCheckpointId(target), pinned }
        const changed = await withHost((client) => client.call('checkpoint/pin', params))
        outputOf(self).result(changed, [pinned ? `${changed.id} is kept for good.` : `${changed.id} goes when room is needed.`])
      })
  }

  checkpoint
    .command('usage')
    .summary('say how much room checkpoints take, by folder')
    .addHelpText('after', examples('holdfast checkpoint usage'))
    .action(async (_options: unknown, self: Command) => {
      const result = await withHost((client) => client.call('checkpoint/usage', {}))
      const rows = result.projects.map(({ root, checkpoints, bytes }) => [formatCount(checkpoints), roomOf(bytes), visibleText(root)])
      outputOf(self).result(result, rows.length === 0 ? ['No checkpoints are kept.'] : table([['CHECKPOINTS', 'ROOM', 'FOLDER'], ...rows]))
    })
}

/** `checkpoint list|create|diff|restore|pin|unpin|usage`. */
export const addCheckpointCommands = (program: Command): void => {
  const checkpoint = program
    .command('checkpoint')
    .summary("kept states of a session's folder")
    .description("Kept states of a session's folder: files, untracked ones too, index, branches and stash. They lie outside the folder.")
    .addHelpText('after', examples('holdfast checkpoint list ses_7k2m9x4tqwzb', 'holdfast checkpoint diff ses_7k2m9x4tqwzb'))

  checkpoint
    .command('list')
    .summary('list those of one session')
    .argument('<session>', 'the session')
    .addHelpText('after', examples('holdfast checkpoint list ses_7k2m9x4tqwzb'))
    .action(async (id: string, _options: unknown, self: Command) => {
      const sessionId = parseSessionId(id)
      const { checkpoints, projects } = await withHost(async (client) => ({ ...(await client.call('checkpoint/list', { sessionId })), ...(await client.call('checkpoint/usage', {})) }))
      const disk = projects.find(({ root }) => root === checkpoints[0]?.root) ?? null
      outputOf(self).result({ checkpoints, disk }, [...listLines(checkpoints, Date.now()), ...(disk === null ? [] : [diskLine(disk)])])
    })

  checkpoint
    .command('create')
    .summary("keep the folder's state of now")
    .argument('<session>', 'the session')
    .addHelpText('after', examples('holdfast checkpoint create ses_7k2m9x4tqwzb'))
    .action(async (id: string, _options: unknown, self: Command) => {
      const sessionId = parseSessionId(id)
      const kept = await withHost((client) => client.call('checkpoint/create', { sessionId }))
      const left = kept.leftOut.map(({ path, reason }) => `  left out: ${visibleText(path)} (${reason})`)
      outputOf(self).result(kept, [`${kept.id}: ${formatCount(kept.fileCount)} files of ${visibleText(kept.root)} are kept.`, ...left])
    })

  addComparing(checkpoint)
  addKeeping(checkpoint)
}
