import { spawnSync } from 'node:child_process'
import { expect, it } from 'vitest'
import { manPage } from '../../shared/host/cli/man-page.ts'
import { createProgram } from '../../shared/host/cli/program.ts'

const page = manPage(createProgram(), '1.2.3')

it('names every command, with its options and examples', () => {
  for (const heading of ['holdfast run [options] \\-\\- COMMAND…', 'holdfast policy explain [options]', 'holdfast kill [options] [id...]', 'holdfast grants [options] [command]', 'holdfast grants revoke [options] <id>', 'holdfast ledger verify [options]']) expect(page).toContain(`.SS\n${heading}\n`)
  expect(page).toContain('.TP\n\\fB\\-\\-keep\\-changes\\fR\n')
  expect(page).toContain('holdfast run \\-\\- claude \\-p "fix the failing test"')
})

const lacksGroff = spawnSync('groff', ['--version']).error !== undefined

it.skipIf(lacksGroff)(`is a page that groff sets without a warning${lacksGroff ? ' (missing: groff)' : ''}`, () => {
  const { stdout, stderr } = spawnSync('groff', ['-man', '-Tutf8', '-ww', '-k'], { input: page, encoding: 'utf8' })
  expect(stderr).toBe('')
  expect(stdout).toContain('supervise AI agents on your own machine')
})
