import { lstat, readdir, readlink, realpath, stat } from 'node:fs/promises'
import { basename, delimiter, dirname, isAbsolute, join, resolve } from 'node:path'
import { doubtsAbout } from '../program-trust.ts'
import { MERGED_FOLDERS, NOT_MOUNTABLE, SYSTEM_FOLDERS } from './linux-view.ts'
import { isWithin } from './mount-plan.ts'

/** Folders of programs by their name, shown whole; of any other on a PATH its programs alone are. */
const PROGRAM_FOLDERS = ['bin', 'sbin', 'shims', '.bin']
/** What programs in `bin` load from beside it: libraries, a Python environment's settings, Ruby's gems. */
const BESIDE = ['lib', 'lib64', 'libexec', 'pyvenv.cfg', 'gems', 'specifications', 'extensions']
/** Where what is in such a folder finds the versions it stands for: asdf and its like, mise, rustup, pnpm, Homebrew. */
const BEHIND: readonly (readonly [RegExp, readonly string[]])[] = [
  [/\/\.(asdf|pyenv|rbenv|nodenv|volta)\/(shims|bin)$/, ['..']],
  [/\/mise\/shims$/, ['../installs']],
  [/\/\.cargo\/bin$/, ['../../.rustup']],
  [/\/pnpm$/, ['global', '.tools']],
  [/\/\.linuxbrew\/s?bin$/, ['..']],
]
/** Never shown, whatever lies in it. */
const KEYS = /\/(\.(ssh|gnupg|aws|kube|azure|docker|password-store|mozilla)|\.config\/(gcloud|gh|hub|doctl|op)|keyrings)(\/|$)/
/** More folders are not gone through, nor more programs shown one by one: bubblewrap takes 9,000 arguments. */
const MAX_FOLDERS = 100
const MAX_SHOWN = 500
const MAX_LINKS = 8

export interface ToolFolderOptions {
  /** The user's. */
  readonly home: string
  /** Folders that the agent writes, resolved: what is in them is shown, or not, by other rules. */
  readonly apart: readonly string[]
}

const existing = async (files: readonly string[]): Promise<string[]> =>
  (await Promise.all(files.map((file) => stat(file).then(() => [file], () => [])))).flat()

/** Each place that a link leads through. */
const hopsOf = async (link: string): Promise<string[]> => {
  const hops: string[] = []
  for (let at = link; hops.length < MAX_LINKS; ) {
    const target = await readlink(at).catch(() => null)
    if (target === null) break
    at = resolve(dirname(at), target)
    hops.push(at)
  }
  return hops
}

/** The files in a folder that can be run, or are links to such. */
const programsIn = async (folder: string): Promise<{ file: string; real: string }[]> => {
  const names = await readdir(folder).catch(() => [])
  const found = names.map(async (name) => {
    const file = join(folder, name)
    const real = await realpath(file).catch(() => null)
    const info = real === null ? null : await stat(real)
    return real !== null && info?.isFile() === true && (info.mode & 0o111) !== 0 ? [{ file, real }] : []
  })
  return (await Promise.all(found)).flat()
}

/** The outermost `node_modules` that a file is in: what its package loads may lie anywhere in there. */
const packagesAround = (file: string): string | null => {
  const at = file.indexOf('/node_modules/')
  return at < 0 ? null : file.slice(0, at + '/node_modules'.length)
}

/**
 * What must be readable for the programs of a PATH to run where the user's home is not to be seen: their folders, where
 * their links lead, and what they load. Not shown are the system's (which are anyway), the home itself and what it lies
 * in, folders of keys, what any user of the machine can change, relative ones, and those that hold, or lie in, folders
 * of `apart`. Paths are absolute; those that are links are to be shown where they are.
 */
export const toolFolders = async (path: string, { home, apart }: ToolFolderOptions): Promise<readonly string[]> => {
  const isShowable = (file: string): boolean =>
    ![...SYSTEM_FOLDERS, ...MERGED_FOLDERS, ...NOT_MOUNTABLE].some((folder) => isWithin(file, folder)) &&
    !apart.some((own) => isWithin(file, own) || isWithin(own, file)) &&
    !isWithin(home, file) &&
    !KEYS.test(file)
  const isUsable = async (folder: string): Promise<boolean> => {
    const real = await realpath(folder).catch(() => null)
    if (real === null || !isShowable(folder) || !isShowable(real)) return false
    return (await stat(real)).isDirectory() && (await doubtsAbout(real)).every(({ who }) => who !== null)
  }
  const shown = new Set<string>()
  const waiting = path.split(delimiter).filter(isAbsolute).map((folder) => resolve(folder))
  const seen = new Set(waiting)
  const search = (folder: string): void => {
    if (seen.size < MAX_FOLDERS && !seen.has(folder)) waiting.push(folder)
    seen.add(folder)
  }
  const beside = async (folder: string): Promise<string[]> => {
    const prefix = dirname(folder)
    const [modules] = await existing([join(prefix, 'lib', 'modules')])
    return isWithin(home, prefix) ? [] : existing([...BESIDE, ...(modules === undefined ? [] : ['conf'])].map((name) => join(prefix, name)))
  }
  const show = async (files: readonly string[]): Promise<void> => {
    for (const file of files) {
      const real = await realpath(file).catch(() => null)
      if (real !== null && isShowable(file) && isShowable(real)) shown.add(file).add(real)
    }
  }

  for (let folder = waiting.shift(); folder !== undefined; folder = waiting.shift()) {
    if (!(await isUsable(folder))) continue
    const isWhole = PROGRAM_FOLDERS.includes(basename(folder))
    const behind = BEHIND.flatMap(([name, places]) => (name.test(folder) ? places : []))
    await show([...(isWhole ? [folder, ...(await beside(folder))] : []), ...(await existing(behind.map((place) => resolve(folder, place))))])
    // A link on the way to it is no other folder: what lies there is looked for where it really is.
    search(await realpath(folder))
    for (const { file, real } of await programsIn(folder)) {
      if (!isWhole) await show([file])
      if (!(await lstat(file)).isSymbolicLink() || isWithin(real, await realpath(folder))) continue
      const packages = packagesAround(real)
      await show(packages === null ? [...(await hopsOf(file)), real] : [packages])
      if (packages === null && basename(dirname(real)) === 'bin') search(dirname(real))
    }
  }
  const outermost = [...shown].filter((file) => ![...shown].some((other) => other !== file && isWithin(file, other)))
  return outermost.sort().slice(0, MAX_SHOWN)
}
