import type { Command } from 'commander'
import { examineAll } from '../../../core/doctor/examine.ts'
import { examineHost } from '../../../core/doctor/own-state.ts'
import { systemClock } from '../../../core/identifiers.ts'
import { resolvePaths } from '../../../core/paths.ts'
import { createKeychain } from '../../../core/secrets/keychain.ts'
import { examples, outputOf } from '../program-output.ts'
import { doctorLines } from '../render.ts'
import { connectRunningHost } from '../with-host.ts'

/** `doctor`: what is installed, what holds, what does not, and what to do about it. Starts no host and changes nothing. */
export const addDoctorCommand = (program: Command): void => {
  program
    .command('doctor')
    .summary('look at what this machine has, and say what is missing')
    .description('Looks at everything that holds an agent, by trying it. Exit code 1 when something fails: then no session can be started or held.')
    .addHelpText('after', examples('holdfast doctor', 'holdfast doctor --json'))
    .action(async (_options: unknown, self: Command) => {
      const paths = resolvePaths(process.env)
      const findings = [
        ...(await examineAll({ paths, path: process.env['PATH'] ?? '', here: process.cwd(), secrets: createKeychain({ service: 'holdfast', clock: systemClock }) })),
        ...(await examineHost(() => connectRunningHost(paths))),
      ]
      const failed = findings.some(({ state }) => state === 'fail')
      outputOf(self).result({ ok: !failed, findings }, findings.flatMap(doctorLines))
      if (failed) process.exitCode = 1
    })
}
