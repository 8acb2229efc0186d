import { EXIT_CODE_OF, HoldfastError } from '../../contract/errors.ts'
import { visibleText } from '../../domain/visible-text.ts'

/** How a command tells its result: in words, or as one JSON object on standard output and nothing else there. */
export interface Output {
  readonly json: boolean
  /** Prints the result: `value` with --json, else the lines. */
  result(value: unknown, lines: readonly string[]): void
  /** Says something beside the result, on standard error. */
  note(line: string): void
}

export const createOutput = (json: boolean): Output => ({
  json,
  result: (value, lines) => {
    if (json) process.stdout.write(`${JSON.stringify(value)}\n`)
    else if (lines.length > 0) process.stdout.write(`${lines.join('\n')}\n`)
  },
  note: (line) => void process.stderr.write(`holdfast: ${line}\n`),
})

/** Rows in columns, two spaces apart; the first row is the heading. */
export const table = (rows: readonly (readonly string[])[]): string[] => {
  const widths: number[] = []
  for (const row of rows) row.forEach((cell, i) => void (widths[i] = Math.max(widths[i] ?? 0, cell.length)))
  return rows.map((row) => row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0))).join('  '))
}

/** Tells an error to a person, or as JSON, and returns the exit code that goes with it. A fault of ours keeps its stack for --json's reader alone. */
export const reportError = (error: unknown, json: boolean): number => {
  const body =
    error instanceof HoldfastError
      ? error.toBody()
      : { code: 'internal' as const, message: `Something went wrong: ${error instanceof Error ? error.message : String(error)}` }
  const place = body.at?.file === undefined ? '' : `${[body.at.file, body.at.line, body.at.column].filter((part) => part !== undefined).join(':')}: `
  if (json) process.stdout.write(`${JSON.stringify({ error: body })}\n`)
  else process.stderr.write(`holdfast: ${body.message.startsWith(place) ? '' : place}${visibleText(body.message)}\n`)
  return EXIT_CODE_OF[body.code]
}
