import type { Command } from 'commander'
import { HoldfastError } from '../../../contract/errors.ts'
import { openBrowser } from '../open-browser.ts'
import { openElectron } from '../open-electron.ts'
import type { Output } from '../output.ts'
import { examples, outputOf } from '../program-output.ts'
import { withHost } from '../with-host.ts'

const SHELLS = ['electron', 'browser', 'none'] as const
export type ShellName = (typeof SHELLS)[number]

/** Throws HoldfastError `bad-params` for a shell nobody knows. */
const parseShell = (text: string): ShellName => {
  const shell = SHELLS.find((known) => known === text)
  if (shell === undefined) throw new HoldfastError('bad-params', `--shell is ${SHELLS.join(', ')}, not "${text}".`)
  return shell
}

/** Starts the host if need be and shows it in this shell. Throws HoldfastError `unsupported` when the app does not start. */
export const showHost = async (shell: ShellName, output: Output): Promise<void> => {
  const fault = shell === 'electron' ? await openElectron() : null
  if (fault !== null) throw new HoldfastError('unsupported', `The app did not start: ${fault}. The dashboard in your browser: holdfast up --shell browser`)
  const { info, login } = await withHost(async (client) => ({
    info: await client.call('host/info', {}),
    login: shell === 'browser' ? await client.call('dashboard/open', {}) : null,
  }))
  if (shell === 'electron') {
    output.result(info, [`Holdfast ${info.version} runs (process ${info.pid}), and its app with it: look for its icon in the tray.`])
  } else if (login === null) {
    output.result(info, [`Holdfast ${info.version} runs (process ${info.pid}). Its data: ${info.dataFolder}`, 'Start an agent with: holdfast run -- claude'])
  } else {
    const opened = await openBrowser(login.url)
    output.result({ ...info, ...login, opened }, [
      opened ? 'The dashboard opens in your browser. If it does not, open this link; it works once, and for a minute:' : 'Open this link in your browser; it works once, and for a minute:',
      login.url,
    ])
  }
}

/** `up`. */
export const addUpCommand = (program: Command): void => {
  program
    .command('up')
    .summary('start the host, and leave it running')
    .option('--shell <shell>', `what to show it in: ${SHELLS.join(', ')}`, 'none')
    .addHelpText('after', examples('holdfast up', 'holdfast up --shell browser', 'holdfast up --shell none --json'))
    .action((options: { shell: string }, self: Command) => showHost(parseShell(options.shell), outputOf(self)))
}
