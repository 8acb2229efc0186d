import { spawnSync } from 'node:child_process'
import { expect, it } from 'vitest'
import { bashCompletion } from '../../shared/host/cli/commands/completion-command.ts'
import { createProgram } from '../../shared/host/cli/program.ts'

const script = bashCompletion(createProgram())

/** What a real bash offers for the last of these words. */
const complete = (...words: string[]): string[] => {
  const ask = `${script}\nCOMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _holdfast; printf '%s\\n' "\${COMPREPLY[@]}"`
  const { stdout, stderr } = spawnSync('bash', ['--norc', '-c', ask, 'bash', 'holdfast', ...words], { encoding: 'utf8', env: { PATH: '/usr/bin:/bin' } })
  expect(stderr).toBe('')
  return stdout.split('\n').filter((line) => line !== '')
}

it('completes commands, commands of a group, and options', () => {
  expect(complete('sess')).toEqual(['sessions'])
  expect(complete('policy', 'ex')).toEqual(['explain'])
  expect(complete('kill', '--')).toEqual(['--all', '--keep-changes', '--lock', '--json', '--help'])
  expect(complete('--json', 'policy', 'explain', '--to')).toEqual(['--tool'])
})

it("leaves the agent's own words to the shell", () => {
  expect(complete('run', '--', 'cl')).toEqual([])
})
