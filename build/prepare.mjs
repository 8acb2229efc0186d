import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundleStep } from './bundle-step.mjs'
import { packagesStep } from './install.mjs'
import { acquireLock } from './lock.mjs'
import { endLike, findNode, runForeground, usersFolder } from './runtime.mjs'
import { Stopped, Trouble } from './say.mjs'

/**
 * A thing that must be done before a command can run.
 * @typedef {{ isDone: () => boolean, run: (lock: import('./lock.mjs').Lock) => Promise<void> }} Step
 */

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const cli = join(root, 'build/out/host/cli.mjs')
const oxlint = join(root, 'node_modules/oxlint/bin/oxlint')
const packages = packagesStep(root, 'packages')
const testPackages = packagesStep(join(root, 'test'), 'test packages')
const packagingTools = packagesStep(join(root, 'build/packaging'), 'packaging tools')
const host = bundleStep(root)

/** @type {Record<string, { steps: Step[], cwd: string, script: string, args: string[] }>} */
const modes = {
  start: { steps: [packages, host], cwd: usersFolder(root), script: cli, args: ['start'] },
  holdfast: { steps: [packages, host], cwd: usersFolder(root), script: cli, args: [] },
  package: { steps: [packages, packagingTools, host], cwd: root, script: join(root, 'build/package.mjs'), args: [] },
  test: { steps: [packages, testPackages, packagingTools], cwd: root, script: join(root, 'build/test.mjs'), args: [] },
  lint: { steps: [packages], cwd: root, script: oxlint, args: ['--deny-warnings'] },
}

/**
 * Does what is not done yet, one bootstrap at a time; touches nothing when all is done.
 * @param {Step[]} steps
 */
async function prepare(steps) {
  if (steps.every((step) => step.isDone())) return
  const lock = await acquireLock(join(root, 'build/out'))
  try {
    for (const step of steps) if (!step.isDone()) await step.run(lock)
  } finally {
    lock.release()
  }
}

/**
 * `start | holdfast | package | test | lint`, then the command's own arguments; ends as the command ends.
 * @param {string[]} argv
 */
export async function main([name = '', ...rest]) {
  const mode = modes[name]
  if (mode === undefined) {
    console.error(`Usage: node build/bootstrap.mjs ${Object.keys(modes).join('|')} [ARGUMENTS]`)
    process.exitCode = 2
    return
  }
  const args = rest[0] === '--' ? rest.slice(1) : rest
  try {
    await prepare(mode.steps)
    endLike(await runForeground(findNode(root), [mode.script, ...mode.args, ...args], mode.cwd))
  } catch (error) {
    if (error instanceof Stopped) return endLike({ code: null, signal: error.signal })
    console.error(error instanceof Trouble ? error.message : error)
    process.exitCode = 1
  }
}
