import { spawnSync } from 'node:child_process'
import { expect, it } from 'vitest'
import { bashCompletion, fishCompletion, zshCompletion } from '../../shared/host/cli/commands/completion-command.ts'
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

const lacks = (shell: string): string | null => (spawnSync(shell, ['-c', 'exit 0']).error === undefined ? null : ` (missing: ${shell})`)

it.skipIf(lacks('fish') !== null)(`does so in fish${lacks('fish') ?? ''}`, () => {
  const offers = (line: string): string[] =>
    spawnSync('fish', ['--no-config', '-c', `${fishCompletion(createProgram())}\ncomplete --do-complete $argv[1]`, line], { encoding: 'utf8' }).stdout.split('\n').filter((word) => word !== '')
  expect(offers('holdfast sess')).toEqual(['sessions'])
  expect(offers('holdfast policy ex')).toEqual(['explain'])
  expect(offers('holdfast kill --a')).toEqual(['--all'])
})

it.skipIf(lacks('zsh') !== null)(`is taken by zsh${lacks('zsh') ?? ''}`, () => {
  const { stdout, stderr } = spawnSync('zsh', ['-f', '-c', `${zshCompletion(createProgram())}\nprint $_comps[holdfast]`], { encoding: 'utf8', env: { PATH: '/usr/bin:/bin', HOME: '/nonexistent' } })
  expect({ stdout, stderr }).toEqual({ stdout: '_bash_complete -o default -F _holdfast\n', stderr: '' })
})
