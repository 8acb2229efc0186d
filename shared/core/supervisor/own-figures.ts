import { type ComparedUsage, createUsageCheck, type UsageCheck, type UsageFigures } from '../../domain/usage-check.ts'

/** Longest line of the command's output that is looked at for a result, in bytes. */
const MAX_LINE_BYTES = 1024 * 1024
const LF = 10

/** What an agent says it used, from its telemetry and its output, held against what passed the gateway. */
export interface OwnFigures extends Pick<UsageCheck, 'passed'> {
  told(conversation: string, source: 'telemetry' | 'result', figures: UsageFigures): void
  /** The command has written this to its standard output. */
  saw(chunk: Buffer): void
  /** The agent has ended, in order or not. Never throws. */
  end(isOrderly: boolean): void
}

export interface OwnFiguresDeps {
  /** What a line of its output tells; null when none ever does. */
  readonly readResult: ((line: string) => { readonly conversation: string; readonly figures: UsageFigures } | null) | null
  readonly record: (compared: ComparedUsage) => void
  readonly raiseAlarm: (message: string) => void
}

/** Calls `onLine` with each line that is not too long. */
const createLineReader = (onLine: (line: string) => void) => {
  let kept: Buffer[] = []
  let bytes = 0
  return (chunk: Buffer): void => {
    let from = 0
    for (let end = chunk.indexOf(LF); end !== -1; end = chunk.indexOf(LF, from)) {
      if (bytes + end - from <= MAX_LINE_BYTES) onLine(Buffer.concat([...kept, chunk.subarray(from, end)]).toString('utf8'))
      kept = []
      bytes = 0
      from = end + 1
    }
    bytes += chunk.length - from
    if (bytes <= MAX_LINE_BYTES) kept.push(chunk.subarray(from))
    else kept = []
  }
}

/** A difference is told of once: the ledger has them all. */
export const createOwnFigures = ({ readResult, record, raiseAlarm }: OwnFiguresDeps): OwnFigures => {
  const check = createUsageCheck()
  let isTold = false
  const tell = (difference: string | null): void => {
    if (difference === null || isTold) return
    isTold = true
    raiseAlarm(`${difference} Holdfast's count is the one that holds; where the agent does not lie, some of its requests went another way.`)
  }
  const told: OwnFigures['told'] = (conversation, source, figures) => tell(check.told(conversation, source, figures))
  const readLine = createLineReader((line) => {
    const result = readResult?.(line) ?? null
    if (result !== null) told(result.conversation, 'result', result.figures)
  })
  return {
    passed: check.passed,
    told,
    saw: (chunk) => {
      if (readResult !== null) readLine(chunk)
    },
    end: (isOrderly) => {
      for (const compared of check.end(isOrderly)) {
        try {
          record(compared)
        } catch {
          // The entry that ends the session fails too, and stops every other.
        }
        tell(compared.difference)
      }
    },
  }
}
