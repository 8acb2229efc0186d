import type { Command } from 'commander'
import type { Checkpoint } from '../../../contract/schemas/checkpoint.ts'
import { formatCount, formatDuration } from '../../../domain/format.ts'
import { visibleText } from '../../../domain/visible-text.ts'
import { table } from '../output.ts'
import { examples, outputOf } from '../program-output.ts'
import { withHost } from '../with-host.ts'
import { parseSessionId } from './session-commands.ts'

const listLines = (checkpoints: readonly Checkpoint[], now: number): string[] =>
  checkpoints.length === 0
    ? ['No checkpoints are kept of this session.']
    : table([
        ['CHECKPOINT', 'REASON', 'AGE', 'FILES', 'LEFT OUT', 'FOLDER'],
        ...checkpoints.map(({ id, reason, takenAt, fileCount, leftOut, root }) => [id, reason, formatDuration(now - takenAt), formatCount(fileCount), formatCount(leftOut.length), visibleText(root)]),
      ])

/** `checkpoint list|create`. */
export const addCheckpointCommands = (program: Command): void => {
  const checkpoint = program
    .command('checkpoint')
    .summary("kept states of a session's folder")
    .description("Kept states of a session's folder: files, untracked ones too, index, branches and stash. They lie outside the folder.")
    .addHelpText('after', examples('holdfast checkpoint list ses_7k2m9x4tqwzb', 'holdfast checkpoint create ses_7k2m9x4tqwzb'))

  checkpoint
    .command('list')
    .summary('list those of one session')
    .argument('<session>', 'the session')
    .addHelpText('after', examples('holdfast checkpoint list ses_7k2m9x4tqwzb'))
    .action(async (id: string, _options: unknown, self: Command) => {
      const sessionId = parseSessionId(id)
      const result = await withHost((client) => client.call('checkpoint/list', { sessionId }))
      outputOf(self).result(result, listLines(result.checkpoints, Date.now()))
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
}
