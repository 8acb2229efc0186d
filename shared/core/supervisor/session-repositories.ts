import { linkedPackages } from '../containers/linked-packages.ts'
import { MAX_FOLDERS } from '../containers/repositories.ts'
import { watchRepositories, type Planted, type PlantedLink, type RepositoryWatch } from '../containers/repository-watch.ts'
import { within } from './within.ts'

/** How long the end of a session waits for the last search of its folders, in ms. */
const LAST_SEARCH_MS = 10_000

/** The git repositories in the folders that a session may write. */
export interface SessionRepositories {
  /** Those there are at its start. Rejects when they cannot be watched. */
  readonly found: Promise<readonly string[]>
  /** Folders of git that are kept as they are. */
  guard(folders: readonly string[]): Promise<void>
  /** After a last search. Safe to call twice. */
  close(): Promise<void>
}

export interface SessionRepositoriesDeps {
  readonly program: string
  readonly roots: readonly string[]
  readonly unwatched: readonly string[]
  /** Tells of it, and resolves when the session is paused, or cannot be. */
  readonly onTampering: (message: string) => Promise<void>
  readonly raiseAlarm: (message: string) => void
  readonly notice: (line: string) => void
  readonly hasStarted: () => boolean
}

const messageOf = (one: Planted | PlantedLink): string => {
  if ('link' in one) {
    const led = `The session made a link, ${one.link}, to ${one.target}, where it can keep a git repository that makes git run commands, and nobody watches.`
    return one.isRemoved ? `${led} It was taken away.` : `${led} It could not be taken away: do not enter it before you have reverted the session.`
  }
  const { repository, runs, aside } = one
  const made = `The session made a git repository, ${repository}, that makes git run commands (${runs.slice(0, 5).join(', ')}).`
  return aside === null
    ? `${made} It could not be put aside: let no git look at the project before you have looked at that repository, or reverted the session.`
    : `${made} Git of yours would run them when it looks at the project, so it was put aside as ${aside}.`
}

const linkedMessage = (folder: string): string =>
  `Files in ${folder} are hard links, as pnpm and uv make them: what the agent writes into one is written into your other projects too, and no revert takes it back. ` +
  'Have them copied (pnpm config set package-import-method copy; UV_LINK_MODE=copy), and install anew.'

/**
 * Git of the user runs what a repository in the project says as soon as it looks at the project. One that the agent makes
 * with anything in it that could run is put aside at once, told of, and the session is paused; then, with nothing left
 * that could hide another, all is searched again.
 */
export const watchSessionRepositories = (deps: SessionRepositoriesDeps): SessionRepositories => {
  const { program, roots, unwatched, onTampering, raiseAlarm, notice, hasStarted } = deps
  const tellOf = (planted: readonly (Planted | PlantedLink)[]): void => planted.forEach((one) => raiseAlarm(messageOf(one)))
  const onPlanted = async (planted: readonly (Planted | PlantedLink)[]): Promise<void> => {
    await Promise.all(planted.map((one) => onTampering(messageOf(one))))
    const watch = await watching
    tellOf((await watch?.sweep()) ?? [])
  }
  const onLimited = (reason: string): void => {
    const message = `Git repositories that the agent makes cannot all be watched for: ${reason}.`
    if (hasStarted()) void onTampering(message)
    else notice(message)
  }
  const started = watchRepositories({ program, roots, unwatched, onPlanted: (planted) => void onPlanted(planted), onLimited })
  const watching: Promise<RepositoryWatch | null> = started.catch(() => null)
  let closing: Promise<void> | null = null

  const found = started.then(({ found: { folders, repositories, isWhole } }) => {
    if (!isWhole) notice(`More than ${MAX_FOLDERS} folders: git repositories that lie deeper than the first of them are neither guarded nor watched for.`)
    const linked = linkedPackages(folders)
    if (linked !== null) notice(linkedMessage(linked))
    return repositories
  })
  found.catch(() => undefined)
  return {
    found,
    guard: async (folders) => (await started).guard(folders),
    close: () => {
      closing ??= watching.then(async (watch) => {
        await within(LAST_SEARCH_MS, watch?.sweep().then(tellOf))
        await watch?.close()
      })
      return closing
    },
  }
}
