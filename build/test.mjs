import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundleStep } from './bundle-step.mjs'
import { acquireLock } from './lock.mjs'
import { provideSystemParts } from './system-parts.mjs'

/** @typedef {{ passed: number, failed: number, skipped: string[] }} Report */

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')

/** A run that hangs must still end, and say so. */
const TESTS_MAY_TAKE_MS = 40 * 60_000

/**
 * @param {string[]} args
 * @param {import('node:child_process').SpawnSyncOptions} options
 */
const node = (args, options = {}) =>
  spawnSync(process.execPath, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], ...options }).status

const oxlint = (/** @type {string[]} */ ...args) =>
  node(['node_modules/oxlint/bin/oxlint', '--deny-warnings', ...args]) === 0

async function build() {
  const step = bundleStep(root)
  if (step.isDone()) return true
  const lock = await acquireLock(join(root, 'build/out'))
  try {
    await step.run(lock)
    return true
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    return false
  } finally {
    lock.release()
  }
}

/** Every tsconfig one folder deep: one for each environment. */
function typeCheck() {
  const projects = readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.') && entry.name !== 'node_modules')
    .flatMap(({ name }) => readdirSync(join(root, name)).map((file) => `${name}/${file}`))
    .filter((file) => /\/tsconfig.*\.json$/.test(file))
  return projects.map((project) => node(['node_modules/typescript/bin/tsc', '-p', project]) === 0).every(Boolean)
}

/**
 * @param {string[]} filters
 * @returns {Report}
 */
function runTests(filters) {
  const scratch = mkdtempSync(join(tmpdir(), 'holdfast-test-'))
  const file = join(scratch, 'report.json')
  try {
    const reporters = ['--reporter=default', '--reporter=./build/test-report.mjs']
    const status = node(
      ['test/node_modules/vitest/vitest.mjs', 'run', '-c', 'test/vitest.config.ts', ...reporters, ...filters],
      { env: { ...process.env, HOLDFAST_TEST_REPORT: file }, timeout: TESTS_MAY_TAKE_MS },
    )
    /** @type {Report} */
    const report = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : { passed: 0, failed: 0, skipped: [] }
    if (report.passed + report.failed === 0) console.error('No test ran.')
    else if (status === 0 || report.failed > 0) return report
    else console.error(`vitest ended with ${status ?? 'a signal'} though no test failed.`)
    return { ...report, failed: report.failed + 1 }
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

await provideSystemParts(root)

/** @type {[string, () => boolean | Promise<boolean>][]} */
const checks = [
  ['build', build],
  ['type check', typeCheck],
  ['lint', () => oxlint()],
  ['layer check', () => oxlint('-A', 'all', '-D', 'holdfast/layers')],
]
/** @type {string[]} */
const failed = []
for (const [name, check] of checks) {
  console.log(`\n=== ${name}`)
  if (!(await check())) failed.push(name)
}
console.log('\n=== tests')
const tests = runTests(process.argv.slice(2))

if (tests.skipped.length > 0) console.log(['\nSkipped:', ...tests.skipped].join('\n  '))
if (failed.length > 0) console.log(`\nFailed: ${failed.join(', ')}`)
const failures = tests.failed + failed.length
const passes = tests.passed + checks.length - failed.length
console.log(`\n${passes} passed, ${failures} failed, ${tests.skipped.length} skipped`)
process.exitCode = failures === 0 ? 0 : 1
