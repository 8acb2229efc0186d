import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { untilExit } from './runtime.mjs'
import { advise, asTrouble, codeOf, Stopped, Trouble, withLine } from './say.mjs'

/**
 * The lock file is the whole truth: no scripts of packages run, dev and optional packages come whatever the user's npm
 * settings say, and warnings (Node 20 installs what Node 24 will run) stay away. Retries are quicker than npm's own, so
 * that a machine without network is told so in seconds.
 */
const NPM_CI = [
  'ci', '--ignore-scripts', '--include=dev', '--include=optional', '--engine-strict=false', '--loglevel=error',
  '--no-audit', '--no-fund', '--no-update-notifier', '--fetch-retry-mintimeout=2000', '--fetch-retry-maxtimeout=10000',
]

/** @param {string} file */
function read(file) {
  return existsSync(file) ? readFileSync(file, 'utf8') : ''
}

/**
 * Installs one folder's packages from its lock file when they are missing or of another lock file or platform. The
 * stamp is written last, inside what it vouches for: an interrupted installation has none.
 * @param {string} folder
 * @param {string} what
 * @returns {import('./prepare.mjs').Step}
 */
export function packagesStep(folder, what) {
  const stampFile = join(folder, 'node_modules/.holdfast-installed')
  const stamp = () => {
    const hash = createHash('sha256').update(readFileSync(join(folder, 'package-lock.json'))).digest('hex')
    return `${process.platform}-${process.arch} ${hash}`
  }
  return {
    isDone: () => read(stampFile) === stamp(),
    run: (lock) =>
      withLine(`installing ${what}`, async () => {
        try {
          const wanted = stamp()
          rmSync(stampFile, { force: true })
          await npmCi(folder, lock)
          writeFileSync(stampFile, wanted)
        } catch (error) {
          throw asTrouble(error, folder)
        }
      }),
  }
}

/**
 * @param {string} folder
 * @param {import('./lock.mjs').Lock} lock
 */
async function npmCi(folder, lock) {
  const [command = 'npm', ...before] = npmCommand()
  let said = ''
  const { code, received } = await untilExit(() => {
    const child = spawn(command, [...before, ...NPM_CI], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
      shell: command === 'npm.cmd',
    })
    if (child.pid !== undefined) lock.add(child.pid)
    child.stderr.setEncoding('utf8').on('data', (text) => (said += text))
    return child
  }).catch((error) => {
    if (codeOf(error) !== 'ENOENT') throw error
    throw new Trouble('npm was not found. Install Node together with npm, then run the command again.')
  })
  if (received !== null) throw new Stopped(received)
  const missing = code === 0 ? missingPackages(folder) : []
  if (code === 0 && missing.length === 0) return
  const words = missing.length > 0 ? `npm left out: ${missing.join(', ')}` : shorten(said)
  const advice = missing.length > 0 ? 'Check the network, then run the command again.' : advise(words, folder)
  throw new Trouble([advice, ...words.split('\n').map((line) => `  ${line}`)].filter(Boolean).join('\n'))
}

/**
 * npm's own words, without its help text and empty lines.
 * @param {string} said
 */
function shorten(said) {
  return said.split('\n').filter((line) => /^npm error \S|^(?!npm )\S/.test(line)).slice(0, 6).join('\n')
}

/** The npm that started this script, with its own Node; else the one on PATH. */
function npmCommand() {
  const { npm_node_execpath: node, npm_execpath: script = '' } = process.env
  if (node !== undefined && script.endsWith('npm-cli.js')) return [node, script]
  return [process.platform === 'win32' ? 'npm.cmd' : 'npm']
}

/**
 * npm succeeds even when the package with this platform's machine code could not be fetched.
 * @param {string} folder
 */
function missingPackages(folder) {
  /** @type {{ packages: Record<string, { os?: string[], cpu?: string[], libc?: string[] }> }} */
  const { packages } = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8'))
  const report = /** @type {{ header: { glibcVersionRuntime?: string } }} */ (process.report.getReport())
  const libc = report.header.glibcVersionRuntime === undefined ? 'musl' : 'glibc'
  return Object.entries(packages)
    .filter(([path, { os, cpu, libc: libcs }]) =>
      path.startsWith('node_modules/') && os !== undefined && fits(os, process.platform) && fits(cpu, process.arch) &&
      (process.platform !== 'linux' || fits(libcs, libc)))
    .map(([path]) => path)
    .filter((path) => !existsSync(join(folder, path, 'package.json')))
}

/**
 * npm's rule for os, cpu and libc lists: `!x` excludes, anything else must be named.
 * @param {string[] | undefined} list
 * @param {string} value
 */
function fits(list, value) {
  if (list === undefined) return true
  if (list.includes(`!${value}`)) return false
  return list.includes(value) || list.every((entry) => entry.startsWith('!'))
}
