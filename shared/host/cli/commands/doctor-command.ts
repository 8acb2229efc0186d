import { randomBytes } from 'node:crypto'
import type { Command } from 'commander'
import type { Finding } from '../../../core/doctor/finding.ts'
import { examineCgroup, examineClaude, examineContainer, examineGit, examineNode } from '../../../core/doctor/machine.ts'
import { examineDisk, examineFolders, examineHost, examineKeychain, examineProfiles } from '../../../core/doctor/own-state.ts'
import { systemClock } from '../../../core/identifiers.ts'
import { resolvePaths } from '../../../core/paths.ts'
import { createKeychain } from '../../../core/secrets/keychain.ts'
import { visibleText } from '../../../domain/visible-text.ts'
import { examples, outputOf } from '../program-output.ts'
import { connectRunningHost } from '../with-host.ts'

const linesOf = ({ name, state, message, todo }: Finding): string[] => [
  `${state.padEnd(4)}  ${name.padEnd(9)}  ${visibleText(message)}`,
  ...(todo === null ? [] : [`${' '.repeat(17)}${visibleText(todo)}`]),
]

/** `doctor`: what is installed, what holds, what does not, and what to do about it. Starts no host and changes nothing. */
export const addDoctorCommand = (program: Command): void => {
  program
    .command('doctor')
    .summary('look at what this machine has, and say what is missing')
    .description('Looks at everything that holds an agent, by trying it. Exit code 1 when something fails: then no session can be started or held.')
    .addHelpText('after', examples('holdfast doctor', 'holdfast doctor --json'))
    .action(async (_options: unknown, self: Command) => {
      const paths = resolvePaths(process.env)
      const [path, cwd] = [process.env['PATH'] ?? '', process.cwd()]
      const findings = [
        examineNode(),
        await examineGit(path, cwd),
        await examineContainer(),
        examineCgroup(randomBytes(12)),
        await examineKeychain(createKeychain({ service: 'holdfast', clock: systemClock })),
        await examineClaude(path, cwd),
        await examineFolders(paths),
        await examineDisk(paths),
        await examineProfiles(paths, cwd),
        ...(await examineHost(() => connectRunningHost(paths))),
      ]
      const failed = findings.some(({ state }) => state === 'fail')
      outputOf(self).result({ ok: !failed, findings }, findings.flatMap(linesOf))
      if (failed) process.exitCode = 1
    })
}
