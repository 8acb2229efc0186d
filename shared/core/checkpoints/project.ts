import { createHash } from 'node:crypto'
import { closeSync, existsSync, mkdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { quoteLine, toNative } from './byte-path.ts'
import { writeWhole } from '../whole-file.ts'
import { createGit, type Git } from './git.ts'
import { createKnowledge, type KnownFolder } from './knowledge.ts'
import type { Areas } from './layout.ts'
import { createObjectMirror, type ObjectMirror } from './object-mirror.ts'
import type { Look } from './timeline.ts'
import { openSeen } from './open-seen.ts'
import type { Cut } from './unwritten.ts'
import type { FoundFile } from './walk.ts'
import { createWatchIndex } from './watch-index.ts'

/** Files that are handed to git at once. */
const OPEN_AT_ONCE = 500

export const projectKey = (areas: Areas): string => createHash('sha256').update(areas.work, 'latin1').digest('hex').slice(0, 32)
export const projectFolder = (storeFolder: string, key: string): string => join(storeFolder, 'projects', key)

/** The object store of one working tree: a bare repository, and the mirror of the user's objects. */
export const createProject = (folder: string) => {
  const repository = join(folder, 'repository.git')
  const scratch = join(folder, 'scratch')
  const mirror: ObjectMirror = createObjectMirror(join(folder, 'mirror'))
  const run: Git = createGit(repository)
  const knowledge = createKnowledge(join(folder, 'known.jsonl'))
  const watch = createWatchIndex({ folder, run, knowledge })
  let isReady = false

  /** Lets git see the user's objects as well as those of the store. */
  const withMirror = (): Record<string, string> => ({ GIT_ALTERNATE_OBJECT_DIRECTORIES: mirror.alternates().join(':') })

  /** A link is kept as the text it holds. */
  const copyLink = (file: FoundFile, number: number): string => {
    const copy = join(scratch, `link-${number}`)
    writeFileSync(copy, readlinkSync(toNative(file.real), { encoding: 'buffer' }), { mode: 0o600 })
    return copy
  }

  const hash = async (files: readonly FoundFile[], write: boolean): Promise<string[]> => {
    const args = ['hash-object', ...(write ? ['-w'] : []), '-t', 'blob', '--no-filters', '--stdin-paths']
    const oids: string[] = []
    for (let at = 0; at < files.length; at += OPEN_AT_ONCE) {
      const handles: number[] = []
      try {
        const lines = files.slice(at, at + OPEN_AT_ONCE).map((file, number) => {
          if (file.mode === '120000') return copyLink(file, number)
          const handle = openSeen(file)
          return handle === null ? quoteLine(file.real) : `/dev/fd/${2 + handles.push(handle)}`
        })
        oids.push(...(await run({ args, input: lines.map((line) => `${line}\n`).join(''), handles })).trimEnd().split('\n'))
      } finally {
        handles.forEach(closeSync)
      }
    }
    return oids
  }

  return {
    folder,
    /** The look at the tree written down last, once known. */
    lastLook: null as Look | null,
    /** When that look began. */
    lastCut: null as Cut | null,
    mirror,
    run,
    withMirror,
    scratch,
    infoExclude: join(repository, 'info', 'exclude'),

    /** Makes the store when there is none, and clears what an interrupted run left. */
    async ready(): Promise<void> {
      if (isReady) return
      mkdirSync(folder, { recursive: true, mode: 0o700 })
      await run({ args: ['init', '--quiet', '--bare', '--template=', repository] })
      mkdirSync(join(repository, 'info'), { recursive: true, mode: 0o700 })
      rmSync(scratch, { recursive: true, force: true })
      mkdirSync(scratch, { recursive: true, mode: 0o700 })
      isReady = true
    },

    knowledge,
    watch,
    /** Folders whose files are all watched, with what of them is out of the ordinary. */
    quiet: new Map<string, { readonly folder: KnownFolder; readonly permissions: Readonly<Record<string, number>> }>(),

    /** Ids of the files' bytes as they are now, without keeping them. */
    identify: (files: readonly FoundFile[]): Promise<string[]> => hash(files, false),

    /**
     * Keeps the files' bytes and returns their ids. What the user's repository holds already, whole, is not written again;
     * the rest goes into the store alone, so that a broken object of theirs is not relied upon.
     * `heldAs` names what the store is known to hold of a file.
     */
    async keep(files: readonly FoundFile[], heldAs: (file: FoundFile) => string | undefined = () => undefined): Promise<string[]> {
      const oids = await hash(files, false)
      const unsure = files.flatMap((file, index) => (heldAs(file) === oids[index] ? [] : [index]))
      if (unsure.length === 0) return oids
      const sizes = await run({ args: ['cat-file', '--batch-check'], input: unsure.map((index) => `${oids[index] ?? ''}\n`).join(''), env: withMirror() })
      const held = sizes.trimEnd().split('\n')
      const missing = unsure.filter((index, position) => held[position] !== `${oids[index]} blob ${files[index]?.size}`)
      const written = await hash(missing.map((index) => files[index] as FoundFile), true)
      missing.forEach((index, position) => (oids[index] = written[position] ?? ''))
      return oids
    },

    /** Takes nothing for known any more: the next look reads every file. */
    forget(): void {
      knowledge.forget()
      this.quiet.clear()
    },

    /** Ends the store. The project is not to be used after that. */
    remove(): void {
      isReady = false
      this.lastLook = null
      this.lastCut = null
      this.forget()
      rmSync(folder, { recursive: true, force: true })
    },

    /** Writes a manifest under its own hash; the same content is written once. */
    keepManifest(content: unknown): string {
      const text = JSON.stringify(content)
      const name = createHash('sha256').update(text).digest('hex')
      const file = join(folder, 'manifests', `${name}.json`)
      if (!existsSync(file)) writeWhole(file, text)
      return name
    },

    manifest<Content>(name: string): Content {
      return JSON.parse(readFileSync(join(folder, 'manifests', `${name}.json`), 'utf8')) as Content
    },
  }
}
export type Project = ReturnType<typeof createProject>
