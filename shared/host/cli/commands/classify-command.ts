import { once } from 'node:events'
import { homedir } from 'node:os'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { z } from 'zod'
import { classifyTool } from '../../../domain/classify/classify-tool.ts'
import { examples } from '../program-output.ts'
import { noteReading } from '../read-input.ts'
import { readLines } from '../read-lines.ts'

const MAX_LINE_BYTES = 8 * 1024 * 1024

const Line = z.looseObject({ tool: z.string().min(1).max(256), input: z.unknown() })

const classifyLine = (text: string | null, cwd: string): { readonly value: unknown } | { readonly problem: string } => {
  if (text === null) return { problem: `is longer than ${MAX_LINE_BYTES} bytes` }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return { problem: 'is not JSON' }
  }
  const line = Line.safeParse(value)
  if (!line.success) return { problem: 'is not like {"tool":"Bash","input":{"command":"ls"}}' }
  const { tool, input } = line.data
  return { value: { ...line.data, ...classifyTool({ tool, input, cwd, home: homedir() }) } }
}

/** `classify`: JSON lines in, the same with class and reasons out. */
export const addClassifyCommand = (program: Command): void => {
  program
    .command('classify')
    .summary('say what tool calls would do: read, write or destroy')
    .description(
      'Reads JSON lines {"tool","input"} and writes each again with "class" (read, write, destructive) and "reasons". Runs nothing.\nA line that cannot be read gives {"line","error"} in its place, and exit code 1 at the end.',
    )
    .option('--cwd <folder>', 'the folder the calls are made in (default: here)')
    .addHelpText('after', examples(`echo '{"tool":"Bash","input":{"command":"git clean -fd"}}' | holdfast classify`, 'holdfast classify --cwd ~/web <calls.jsonl'))
    .action(async (options: { cwd?: string }) => {
      const cwd = resolve(options.cwd ?? process.cwd())
      noteReading('JSON lines')
      for await (const { number, text } of readLines(process.stdin as AsyncIterable<Buffer>, MAX_LINE_BYTES)) {
        if (text?.trim() === '') continue
        const answer = classifyLine(text, cwd)
        if ('problem' in answer) process.exitCode = 1
        const told = 'value' in answer ? answer.value : { line: number, error: { code: 'bad-params', message: `Line ${number} ${answer.problem}.` } }
        if (!process.stdout.write(`${JSON.stringify(told)}\n`)) await once(process.stdout, 'drain')
      }
    })
}
