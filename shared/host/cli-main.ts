import { CommanderError } from 'commander'
import { reportError } from './cli/output.ts'
import { createProgram } from './cli/program.ts'

// Whoever reads our output may stop early, as head does.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(0)
})

try {
  await createProgram().parseAsync(process.argv)
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2
  else {
    const own = process.argv.slice(2)
    const end = own.indexOf('--')
    process.exitCode = reportError(error, (end === -1 ? own : own.slice(0, end)).includes('--json'))
  }
}
