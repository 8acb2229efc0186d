// What judging one command costs: every command of the labelled corpus, and every one as a policy decision.
// Run: node test/bench/classify.ts   (prints a table; asserts nothing).
import { readFileSync } from 'node:fs'
import { classifyShell } from '../../shared/domain/classify/classify-shell.ts'
import { classifyTool } from '../../shared/domain/classify/classify-tool.ts'
import { evaluatePolicy } from '../../shared/domain/policy-evaluate.ts'

const ROUNDS = 50
const cwd = '/home/a/project'
const commands = readFileSync(new URL('../fixtures/commands.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => (JSON.parse(line) as { command: string }).command)

const decide = (command: string): void => {
  const call = { tool: 'Bash', input: { command }, cwd }
  evaluatePolicy({ ...call, policy: { layers: [] }, classification: classifyTool(call) })
}

const measure = (name: string, work: (command: string) => void): Record<string, string | number> => {
  for (const command of commands) work(command)
  const times: number[] = []
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const command of commands) {
      const from = performance.now()
      work(command)
      times.push((performance.now() - from) * 1_000)
    }
  }
  times.sort((left, right) => left - right)
  const at = (share: number): string => (times[Math.floor(share * (times.length - 1))] ?? 0).toFixed(1)
  return { what: name, commands: commands.length, 'p50 µs': at(0.5), 'p99 µs': at(0.99), 'max µs': at(1) }
}

console.table([measure('class of a command', (command) => void classifyShell(command)), measure('class and decision of a call', decide)])
