import { relative } from 'node:path'
import type { PreviewPart } from '../../contract/schemas/foresight.ts'
import { programOf } from '../../domain/classify/call.ts'
import { readShell } from '../../domain/classify/classify-shell.ts'
import { commandBehind } from '../../domain/classify/commands.ts'
import { shown } from '../../domain/classify/finding.ts'
import type { SimpleCommand } from '../../domain/classify/shell-state.ts'
import { isSqlClient } from '../../domain/classify/sql-clients.ts'
import { readArguments } from '../../domain/classify/family.ts'
import { formatBytes, formatCount } from '../../domain/format.ts'
import { isWithin, pathMeant } from '../../domain/foresight/operands.ts'
import { rowCountOf } from '../../domain/foresight/sql-count.ts'
import { diffParts } from '../../domain/text-diff.ts'
import { visibleText } from '../../domain/visible-text.ts'
import { countInSqlite } from './count-rows.ts'
import { lookAtFiles, pathsOf, readForPreview } from './look-at-files.ts'
import { changedSinceIndexed, lookAtGit } from './look-at-git.ts'

export interface PreviewQuestion {
  readonly tool: string
  readonly input: unknown
  /** The project's folder, and others the session may write to: nothing else is looked at. */
  readonly roots: readonly string[]
  /** The folder that relative paths start from, absolute. */
  readonly folder: string
  readonly home: string
  readonly signal: AbortSignal
}

type Place = Pick<PreviewQuestion, 'roots' | 'home' | 'signal'>

const MAX_PARTS = 20
const MAX_COMMAND = 20_000
const MAX_LINES = 100
const NO_VALUES: ReadonlySet<string> = new Set()

const plural = (count: number, word: string): string => `${formatCount(count)} ${word}${count === 1 ? '' : 's'}`

const notComputed = (about: string, why: string): PreviewPart => ({ about, summary: `not computed: ${why}`, computed: false, lines: [], more: 0 })

const listed = (about: string, summary: string, lines: readonly string[], total = lines.length): PreviewPart => ({
  about,
  summary,
  computed: true,
  lines: lines.slice(0, MAX_LINES).map((line) => visibleText(line)),
  more: Math.max(0, total - Math.min(lines.length, MAX_LINES)),
})

const previewRemoval = async (about: string, { argv, folder }: SimpleCommand, { roots, home, signal }: Place): Promise<PreviewPart> => {
  const { words } = readArguments(argv.slice(1), NO_VALUES)
  const meant = words.map((word) => pathMeant(word, folder, home))
  if (meant.length === 0 || meant.includes(null)) return notComputed(about, 'which files are meant, only the shell will know')
  const found = await Promise.all(meant.map((one) => (one === null ? null : pathsOf(one))))
  if (found.includes(null)) return notComputed(about, 'its stars are more than is followed here')
  const paths = found.flatMap((some) => some ?? [])
  if (paths.some((path) => !roots.some((root) => isWithin(path, root)))) return notComputed(about, 'it goes outside the folders of the session')
  const { files, folders, bytes, isAll, listed: first } = await lookAtFiles(paths, signal)
  const base = roots[0] ?? '/'
  const lines = first.map(({ path, bytes: size }) => `${relative(base, path)}  ${formatBytes(size)}`)
  const count = `${plural(files, 'file')}, ${formatBytes(bytes)}, ${plural(folders, 'folder')}`
  return listed(about, files + folders === 0 ? 'nothing is there to delete' : isAll ? `deletes ${count}` : `deletes more than ${count}`, lines, files)
}

const commitsPart = async (about: string, what: string, folder: string, range: readonly string[], signal: AbortSignal): Promise<PreviewPart> => {
  const [count, lines] = await Promise.all([
    lookAtGit(folder, ['rev-list', '--count', ...range], signal),
    lookAtGit(folder, ['rev-list', `--max-count=${MAX_LINES}`, '--no-commit-header', '--format=%h %s', ...range], signal),
  ])
  if (count === null || lines === null) return notComputed(about, 'git could not say which commits')
  const total = Number(count)
  return listed(about, total === 0 ? `${what}: no commit` : `${what}: ${plural(total, 'commit')}`, lines.split('\n').filter((line) => line !== ''), total)
}

/** Names that git may be asked for: no option, and nothing that git would look up elsewhere. */
const isRef = (text: string): boolean => /^[\w][\w./@{}~^-]{0,200}$/.test(text) && !text.includes('..')

const previewPush = async (about: string, folder: string, words: readonly string[], signal: AbortSignal): Promise<PreviewPart> => {
  const [remote = 'origin', spec] = words
  const head = (await lookAtGit(folder, ['rev-parse', '--abbrev-ref', 'HEAD'], signal))?.trim() ?? ''
  const [from = head, to = from] = (spec ?? head).replace(/^\+/, '').split(':')
  const lost = `refs/remotes/${remote}/${to === 'HEAD' ? head : to}`
  if (!isRef(remote) || !isRef(to) || (from !== '' && !isRef(from)) || words.length > 2) return notComputed(about, 'which commits are lost is not followed here')
  const range = from === '' ? [lost, '--not', `--exclude=${remote}/${to}`, '--branches', '--remotes'] : [`${from}..${lost}`]
  return commitsPart(about, `lost on ${remote}, as it was when last fetched`, folder, range, signal)
}

const previewGit = async (about: string, { argv, folder }: SimpleCommand, { roots, signal }: Place): Promise<readonly PreviewPart[]> => {
  const [sub = '', ...args] = argv.slice(1)
  if (folder === null || sub.startsWith('-') || !roots.some((root) => isWithin(folder, root))) return [notComputed(about, 'which repository is meant cannot be told')]
  const { words, options } = readArguments(args, NO_VALUES)
  if (sub === 'clean') {
    const known = options.filter((option) => /^(-[dfxXq]+|--force)$/.test(option))
    if (known.length < options.length || words.some((word) => !/^[\w./-]+$/.test(word))) return [notComputed(about, 'its options are not followed here')]
    const said = await lookAtGit(folder, ['clean', '-n', ...known, '--', ...words], signal)
    if (said === null) return [notComputed(about, 'git could not say what it would delete')]
    const lines = said.split('\n').filter((line) => line !== '').map((line) => line.replace(/^Would remove /, ''))
    return [listed(about, lines.length === 0 ? 'nothing is there to delete' : `deletes ${formatCount(lines.length)} untracked files and folders`, lines)]
  }
  if (sub === 'branch') return Promise.all(words.filter(isRef).slice(0, 5).map((name) => commitsPart(about, `only on ${name}`, folder, [`refs/heads/${name}`, '--not', `--exclude=${name}`, '--branches', '--remotes', '--tags'], signal)))
  if (sub === 'push') return [await previewPush(about, folder, words, signal)]
  if (sub === 'stash') {
    const stashes = await lookAtGit(folder, ['rev-list', '--walk-reflogs', '--no-commit-header', '--format=%h %s', 'refs/stash'], signal)
    return [stashes === null ? notComputed(about, 'git knows of no stash') : listed(about, 'the stash holds', stashes.split('\n').filter((line) => line !== ''))]
  }
  const parts: PreviewPart[] = []
  const changed = /^(reset|checkout|restore|switch)$/.test(sub) ? await changedSinceIndexed(folder, roots, signal) : null
  if (changed !== null) parts.push(listed(about, changed.length === 0 ? 'no file has changed since git last looked' : `changed since git last looked: ${plural(changed.length, 'file')}, which it may throw away`, changed))
  const target = words[0]
  if (sub === 'reset' && target !== undefined && isRef(target)) parts.push(await commitsPart(about, 'taken off this branch', folder, [`${target}..HEAD`], signal))
  return parts.length > 0 ? parts : [notComputed(about, 'what it changes is not followed here')]
}

/** `sqlite3 FILE STATEMENT`: how many rows the statement is about, counted in a file that is only read. */
const previewSqlite = async (about: string, { argv, folder }: SimpleCommand, { roots, home, signal }: Place): Promise<PreviewPart> => {
  const { words, options } = readArguments(argv.slice(1), NO_VALUES)
  const [file, sql, more] = words
  if (file === undefined || sql === undefined || more !== undefined || options.some((option) => !/^-(bail|batch|readonly|csv|header|line|list|json|column)$/.test(option))) return notComputed(about, 'which rows are meant is not followed here')
  const meant = pathMeant(file, folder, home)
  const question = rowCountOf(sql)
  if (meant === null || meant.pattern !== null || question === null) return notComputed(about, 'which rows are meant is not followed here')
  const counted = await countInSqlite(meant.path, question.sql, roots, signal)
  return 'why' in counted ? notComputed(about, counted.why) : listed(about, `${question.does} ${plural(counted.rows, 'row')} (${visibleText(question.table)})`, [])
}

const previewCommand = async (command: SimpleCommand, place: Place): Promise<readonly PreviewPart[]> => {
  const argv = commandBehind(command.argv)
  const program = programOf(argv[0] ?? '') ?? ''
  const about = shown(argv.join(' '), 200)
  if (/^(rm|rmdir|unlink|shred|srm|trash|rimraf)$/.test(program)) return [await previewRemoval(about, { ...command, argv }, place)]
  if (program === 'git') return previewGit(about, { ...command, argv }, place)
  if (/^(sqlite3?|litecli)$/.test(program)) return [await previewSqlite(about, { ...command, argv }, place)]
  return [notComputed(about, !isSqlClient(program) ? 'nothing here knows how to look' : 'there is no connection that can only read')]
}

/** What writing a whole file changes in the one that is there. */
const previewWrite = async (path: string, content: string, { roots, folder, home }: Pick<PreviewQuestion, 'roots' | 'folder' | 'home'>): Promise<PreviewPart> => {
  const about = shown(path, 200)
  const meant = pathMeant(path, folder, home)?.path
  if (meant === undefined || !roots.some((root) => isWithin(meant, root))) return notComputed(about, 'it goes outside the folders of the session')
  const before = await readForPreview(meant)
  if (before === null) return notComputed(about, 'what is there is no file that can be compared')
  const parts = diffParts(before, content)
  const lines = parts.map((part) => ('skipped' in part ? `… ${part.skipped} lines stay` : `${part.sign} ${part.text}`))
  const count = (sign: string): number => parts.filter((part) => 'sign' in part && part.sign === sign).length
  return listed(about, before === '' ? `writes ${plural(count('+'), 'line')}` : `takes out ${plural(count('-'), 'line')}, puts in ${formatCount(count('+'))}`, lines)
}

/** What the destructive commands of a call would do now, without doing it: files, commits. Looks at the session's own folders alone. */
export const previewOf = async ({ tool, input, folder, ...place }: PreviewQuestion): Promise<PreviewPart[]> => {
  const { command, sql, query, content, file_path: file } = (input ?? {}) as Readonly<Record<string, unknown>>
  if (tool === 'Write' && typeof file === 'string' && typeof content === 'string') return [await previewWrite(file, content, { ...place, folder })]
  if (tool !== 'Bash' || typeof command !== 'string') {
    return tool.startsWith('mcp__') && (typeof sql === 'string' || typeof query === 'string') ? [notComputed(shown(tool), 'there is no connection that can only read')] : []
  }
  if (command.length > MAX_COMMAND) return [notComputed(shown(tool), 'the line is too long')]
  const context = { cwd: folder, home: place.home }
  const destructive = readShell(command, context).commands.filter(({ argv }) => readShell(argv.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' '), context).classification.class === 'destructive')
  // Of what one command runs in turn, only the inner one says something.
  const innermost = destructive.filter(({ argv }) => !destructive.some((other) => other.argv.length < argv.length && argv.join(' ').endsWith(other.argv.join(' '))))
  const parts = await Promise.all(innermost.slice(0, MAX_PARTS).map((one) => previewCommand(one, place)))
  return parts.flat().slice(0, MAX_PARTS)
}
