import { spawn } from 'node:child_process'
import { constants } from 'node:fs'
import type { Socket } from 'node:net'
import { createInterface } from 'node:readline'
import type { WriteRecord } from '../checkpoints/unwritten.ts'
import { findTool } from './tools.ts'
import { RECORDER } from './write-recorder.ts'

/** fanotify_init, fanotify_mark, name_to_handle_at. */
const CALLS: Readonly<Partial<Record<NodeJS.Architecture, readonly number[]>>> = { x64: [300, 301, 303], arm64: [262, 263, 264] }
/** More at once would keep the program from what it is to record. */
const MAX_ASKED = 5_000
/** A checkpoint, and with it a kill, waits for no record longer. */
const ANSWER_MS = 3_000

/** What holds processes tells the record of each container that can write what a checkpoint is of. */
export interface ContainerWrites extends WriteRecord {
  /** To be awaited while nothing of the agent's runs in the namespaces of the process. Never rejects. */
  add(init: number): Promise<void>
  /** Something that is not recorded can write from now on: nothing is known any more. */
  miss(): void
  /** Whether anything is recorded. */
  isOn(): boolean
  close(): void
}

/**
 * A record of what containers write, for as long as this host runs. Marks on mounts need the right to administer the
 * machine (CAP_SYS_ADMIN over the file system's own namespace, also in Linux 6.18), so that only a host that runs as root
 * has one; of a host without it nothing is known. Nor is anything once the program has ended, or a mount could not be marked.
 */
export const createContainerWrites = (): ContainerWrites => {
  const [perl, setpriv] = [findTool('perl'), findTool('setpriv')]
  const calls = CALLS[process.arch]
  let isOn = process.platform === 'linux' && process.getuid?.() === 0 && perl !== null && setpriv !== null && calls !== undefined
  const waiting: ((line: string | null) => void)[] = []
  let send: ((text: string) => void) | null = null
  let end = (): void => undefined

  const miss = (): void => {
    isOn = false
    end()
    for (const answer of waiting.splice(0)) answer(null)
  }

  const begin = (): ((text: string) => void) => {
    const command = [perl ?? '', '-e', RECORDER, ...(calls ?? []).map(String), String(constants.O_NOFOLLOW), String(constants.O_NONBLOCK)]
    const child = spawn(setpriv ?? '', ['--pdeathsig', 'KILL', ...command], { cwd: '/', env: {}, detached: true, stdio: ['pipe', 'pipe', 'ignore'] })
    child.unref()
    for (const stream of [child.stdin, child.stdout]) (stream as Socket).on('error', miss).unref()
    child.once('error', miss).once('exit', miss)
    createInterface({ input: child.stdout }).on('line', (line) => waiting.shift()?.(line))
    end = () => void child.kill('SIGKILL')
    return (text) => void child.stdin.write(text)
  }

  const ask = (text: string): Promise<string | null> => {
    if (!isOn) return Promise.resolve(null)
    send ??= begin()
    const { promise, resolve } = Promise.withResolvers<string | null>()
    waiting.push(resolve)
    send(text)
    const late = setTimeout(miss, ANSWER_MS).unref()
    return promise.finally(() => clearTimeout(late))
  }

  return {
    add: async (init) => {
      if ((await ask(`add ${init}\n`)) !== '1') miss()
    },
    miss,
    isOn: () => isOn,
    close: miss,
    cut: async () => {
      const said = await ask('cut\n')
      return said === null ? null : Number(said)
    },
    unwritten: async (since, files) => {
      const asked = files.slice(0, MAX_ASKED)
      if (asked.length === 0) return []
      const lines = asked.map(({ path, dev, ino }) => `${dev} ${ino} ${Buffer.from(path, 'latin1').toString('hex')}\n`)
      const said = (await ask(`ask ${since} ${asked.length}\n${lines.join('')}`)) ?? ''
      return files.filter((_, index) => said[index] === '1')
    },
  }
}
