import type { Command } from 'commander'
import { VERSION } from '../../../core/version.ts'
import { manPage } from '../man-page.ts'
import { examples } from '../program-output.ts'

/** `man`: made from the commands themselves. */
export const addManCommand = (program: Command): void => {
  program
    .command('man')
    .summary('print the manual page')
    .addHelpText('after', examples('holdfast man | man -l -', 'holdfast man > ~/.local/share/man/man1/holdfast.1'))
    .action(() => void process.stdout.write(manPage(program, VERSION)))
}
