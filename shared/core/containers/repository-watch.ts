import { Worker } from 'node:worker_threads'
import type { Found } from './repositories.ts'

/** A repository that came during a session and makes git run commands. */
export interface Planted {
  readonly repository: string
  /** What does so: names of settings, hooks and pointers. */
  readonly runs: readonly string[]
  /** Where it was put, so that git does not see it; null where that could not be done. */
  readonly aside: string | null
}

/** A link that came during a session, and leads a person to where the agent can keep such a repository. */
export interface PlantedLink {
  readonly link: string
  readonly target: string
  readonly isRemoved: boolean
}

export type ToWatcher = { readonly type: 'guarded'; readonly guarded: readonly string[] } | { readonly type: 'sweep' }
export type FromWatcher =
  | { readonly type: 'found'; readonly found: Found }
  | { readonly type: 'planted' | 'swept'; readonly planted: readonly (Planted | PlantedLink)[] }
  | { readonly type: 'limited'; readonly reason: string }

export interface RepositoryWatch {
  /** What was there at first. */
  readonly found: Found
  /** Folders of git that are kept as they are: what shares their settings is no danger. */
  guard(folders: readonly string[]): void
  /** Searches everything now, and puts aside what it finds. */
  sweep(): Promise<readonly (Planted | PlantedLink)[]>
  close(): Promise<void>
}

export interface RepositoryWatchDeps {
  /** The program that watches. */
  readonly program: string
  readonly roots: readonly string[]
  /** Folders besides that an agent may write, and that links of its own could lead to. */
  readonly unwatched: readonly string[]
  /** Each has been put aside or taken away already, where it could be. */
  readonly onPlanted: (planted: readonly (Planted | PlantedLink)[]) => void
  /** Not all can be watched, and why. */
  readonly onLimited: (reason: string) => void
}

/**
 * Watches the folders an agent may write for repositories that it makes, in a thread of its own: a flood of changes
 * holds nothing else up. Resolves once everything there is, is watched. Rejects when the thread cannot work.
 */
export const watchRepositories = async ({ program, roots, unwatched, onPlanted, onLimited }: RepositoryWatchDeps): Promise<RepositoryWatch> => {
  const worker = new Worker(program, { workerData: { roots, unwatched }, env: {}, stdin: false })
  worker.unref()
  let isClosed = false
  const swept: ((planted: readonly (Planted | PlantedLink)[]) => void)[] = []
  const begun = Promise.withResolvers<Found>()
  worker.on('message', (message: FromWatcher) => {
    if (isClosed) return
    if (message.type === 'found') begun.resolve(message.found)
    else if (message.type === 'limited') onLimited(message.reason)
    else if (message.type === 'planted') onPlanted(message.planted)
    else swept.shift()?.(message.planted)
  })
  let reason = 'the watch has ended'
  worker.on('error', (error) => (reason += `: ${error instanceof Error ? error.message : String(error)}`))
  worker.once('exit', () => {
    begun.reject(new Error(reason))
    for (const answer of swept.splice(0)) answer([])
    if (!isClosed) onLimited(reason)
    isClosed = true
  })
  const found = await begun.promise
  const send = (message: ToWatcher): void => worker.postMessage(message, [])
  return {
    found,
    guard: (folders) => send({ type: 'guarded', guarded: folders }),
    sweep: () => {
      if (isClosed) return Promise.resolve([])
      const { promise, resolve } = Promise.withResolvers<readonly (Planted | PlantedLink)[]>()
      swept.push(resolve)
      send({ type: 'sweep' })
      return promise
    },
    close: async () => {
      if (isClosed) return
      isClosed = true
      await worker.terminate()
    },
  }
}
