import { writeFileSync } from 'node:fs'

/**
 * Vitest reporter: writes what build/test.mjs counts, to the file named by HOLDFAST_TEST_REPORT. What fails outside of
 * a test (a file that cannot be loaded, a hook, an unhandled error) counts as a failed test.
 */
export default class TestReport {
  /**
   * @param {readonly any[]} modules vitest's TestModule
   * @param {readonly unknown[]} unhandledErrors
   */
  onTestRunEnd(modules, unhandledErrors) {
    const report = { passed: 0, failed: unhandledErrors.length, skipped: /** @type {string[]} */ ([]) }
    for (const module of modules) {
      for (const holder of [module, ...module.children.allSuites()]) if (holder.errors().length > 0) report.failed++
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (state === 'passed') report.passed++
        else if (state === 'skipped') report.skipped.push(`${module.relativeModuleId} > ${test.fullName}`)
        else report.failed++
      }
    }
    writeFileSync(/** @type {string} */ (process.env['HOLDFAST_TEST_REPORT']), JSON.stringify(report))
  }
}
