import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { Trouble } from './say.mjs'

/** @typedef {{ code: number | null, signal: NodeJS.Signals | null }} Ending */

/** @type {NodeJS.Signals[]} */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']

/**
 * The Node 24 that npm installed for this platform, else this Node if it is new enough.
 * @param {string} root
 */
export function findNode(root) {
  const windows = process.platform === 'win32'
  const name = `node-${windows ? 'win' : process.platform}-${process.arch}`
  const carried = join(root, 'node_modules', name, 'bin', windows ? 'node.exe' : 'node')
  if (existsSync(carried)) return carried
  if (Number(process.versions.node.split('.')[0]) >= 24) return process.execPath
  throw new Trouble(
    `Holdfast runs on Node 24. It brings none for this platform (no ${name}), and this is ${process.version}.\n` +
      'Install Node 24 from https://nodejs.org or your package manager, then run the command again.',
  )
}

/**
 * Starts a child and waits for its end, passing signals on to it; `received` is the last one that came. A terminal
 * sends Ctrl-C and Ctrl-\ to the child itself.
 * @param {() => import('node:child_process').ChildProcess} start
 * @returns {Promise<Ending & { received: NodeJS.Signals | null }>}
 */
export async function untilExit(start) {
  const terminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY
  /** @type {NodeJS.Signals | null} */
  let received = null
  /** @type {import('node:child_process').ChildProcess | undefined} */
  let child
  const forward = (/** @type {NodeJS.Signals} */ signal) => {
    received = signal
    if (!(terminal && (signal === 'SIGINT' || signal === 'SIGQUIT'))) child?.kill(signal)
  }
  for (const signal of SIGNALS) process.on(signal, forward)
  try {
    child = start()
    const [code, signal] = await once(child, 'close')
    return { code, signal, received }
  } finally {
    for (const signal of SIGNALS) process.off(signal, forward)
  }
}

/** The environment as it was before npm added its own to it: what Holdfast passes on should be the user's. */
function usersEnvironment() {
  const env = process.env
  if (env['npm_lifecycle_event'] === undefined) return env
  const ofNpm = /^(npm_.*|INIT_CWD|NODE|COLOR)$/i
  const ofNpmPath = /[\\/](node_modules[\\/]\.bin|node-gyp-bin)$/
  return Object.fromEntries(
    Object.entries(env)
      .filter(([name]) => !ofNpm.test(name))
      .map(([name, value]) =>
        name.toUpperCase() === 'PATH'
          ? [name, value?.split(delimiter).filter((folder) => !ofNpmPath.test(folder)).join(delimiter)]
          : [name, value],
      ),
  )
}

/**
 * Where the user called npm, which itself goes to the package's folder.
 * @param {string} root
 */
export function usersFolder(root) {
  const ofThisRun = process.env['npm_package_json'] === join(root, 'package.json')
  return (ofThisRun && process.env['INIT_CWD']) || process.cwd()
}

/**
 * Runs a Node script with this terminal.
 * @param {string} node
 * @param {string[]} args
 * @param {string} cwd
 * @returns {Promise<Ending>}
 */
export async function runForeground(node, args, cwd) {
  return untilExit(() => spawn(node, args, { stdio: 'inherit', cwd, env: usersEnvironment() })).catch((error) => {
    throw new Trouble(
      `${node} does not run here (${error.message}).\n` +
        'Install Node 24 from https://nodejs.org, then run the command again.',
    )
  })
}

/**
 * Ends this process as another one ended.
 * @param {Ending} ending
 */
export function endLike({ code, signal }) {
  if (signal === null) process.exitCode = code ?? 1
  else process.kill(process.pid, signal)
}
