import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { HoldfastError } from '../../contract/errors.ts'

const run = promisify(execFile)

const git = (project: string, path: string, ...args: string[]) =>
  run('git', ['-C', project, '-c', 'user.name=You', '-c', 'user.email=you@example.invalid', ...args], {
    env: { PATH: path, HOME: project, GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null' },
  }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') throw new HoldfastError('checkpoint-failed', 'git is not installed. Install it, and start again.')
    throw error
  })

/** Makes a small repository with a committed, a changed and an untracked file: what a revert must bring back. */
export const createScratchProject = async (project: string, path: string): Promise<void> => {
  await mkdir(join(project, 'src'), { recursive: true })
  await writeFile(join(project, 'README.md'), '# Scratch\n\nA project for the guided session.\n')
  await writeFile(join(project, 'src', 'main.js'), "console.log('hello')\n")
  await git(project, path, 'init', '--quiet', '--initial-branch=main')
  await git(project, path, 'add', '--all')
  await git(project, path, 'commit', '--quiet', '--message=Begin')
  await writeFile(join(project, 'src', 'main.js'), "console.log('hello, changed and not committed')\n")
  await writeFile(join(project, 'todo.txt'), 'untracked: not in git, and still yours\n')
}

/** One hash over `git status`, the index and every file's name and bytes: equal when the tree is as it was. */
export const fingerprint = async (project: string, path: string): Promise<string> => {
  const hash = createHash('sha256')
  hash.update((await git(project, path, '--no-optional-locks', 'status', '--porcelain=v2', '--branch')).stdout)
  hash.update(await readFile(join(project, '.git', 'index')))
  const names = (await readdir(project, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !file.startsWith(join(project, '.git')))
    .sort()
  for (const name of names) hash.update(`${name}\0`).update(await readFile(name))
  return hash.digest('hex')
}
