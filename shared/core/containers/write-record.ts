import { spawn } from 'node:child_process'
import { constants } from 'node:fs'
import type { Socket } from 'node:net'
import { createInterface } from 'node:readline'
import type { WriteRecord } from '../checkpoints/unwritten.ts'
import { identify, isSameAlive, type ProcessIdentity } from './processes.ts'
import { findTool } from './tools.ts'
import { RECORDER } from './write-recorder.ts'

/** fanotify_init, fanotify_mark, name_to_handle_at. */
const CALLS: Readonly<Partial<Record<NodeJS.Architecture, readonly number[]>>> = { x64: [300, 301, 303], arm64: [262, 263, 264] }
/** More at once would keep the program from what it is to record. */
const MAX_ASKED = 5_000
/** A checkpoint, and with it a kill, waits for no record longer. */
const ANSWER_MS = 3_000
/** How long until a record that failed is tried again: at first, and at most. It doubles each time, also after a success: what keeps failing is not told for ever. */
const AGAIN_MS = 10_000
const MAX_AGAIN_MS = 600_000

const FAILED = 'The record of what sessions write has failed, and is begun anew within minutes. Until then an edit of yours that is made while a session computes counts as the session\'s: a revert takes it back too, and an undo brings it back.'
/** What is told when a problem is over. */
export const RECORDED_AGAIN = 'What sessions write is recorded again: an edit of yours counts as yours from now on, also while a session computes.'
const UNHELD = 'Not all that sessions write can be recorded, as one has no walls, or may make mounts of its own: until the host starts anew, an edit of yours that is made while any session computes counts as the session\'s. A revert takes it back too, and an undo brings it back.'

/** What holds processes tells the record of each container that can write what a checkpoint is of. */
export interface ContainerWrites extends WriteRecord {
  /** To be awaited while nothing of the agent's runs in the namespaces of the process. Never rejects. */
  add(init: number): Promise<void>
  /** Something that is not recorded can write from now on: nothing is known any more. */
  miss(): void
  /** Whether containers are to be added: they are recorded, or will be again. */
  isOn(): boolean
  /** Why nothing is known now, for a person; null where it is, and where this host never could. */
  problem(): string | null
  close(): void
}

/** One run of the program. */
interface Recorder {
  /** null when it has not answered, and then it has ended. */
  ask(text: string): Promise<string | null>
  end(): void
}

/** `base` is above every number that an earlier run has told: of what came before this one it knows nothing. */
const startRecorder = (programs: { readonly perl: string; readonly setpriv: string; readonly calls: readonly number[] }, base: number, onEnd: () => void): Recorder => {
  const waiting: ((line: string | null) => void)[] = []
  let hasEnded = false
  const command = [programs.perl, '-e', RECORDER, ...[...programs.calls, constants.O_NOFOLLOW, constants.O_NONBLOCK, base].map(String)]
  const child = spawn(programs.setpriv, ['--pdeathsig', 'KILL', ...command], { cwd: '/', env: {}, detached: true, stdio: ['pipe', 'pipe', 'ignore'] })
  const end = (): void => {
    if (hasEnded) return
    hasEnded = true
    child.kill('SIGKILL')
    for (const answer of waiting.splice(0)) answer(null)
    onEnd()
  }
  child.unref()
  for (const stream of [child.stdin, child.stdout]) (stream as Socket).on('error', end).unref()
  child.once('error', end).once('exit', end)
  createInterface({ input: child.stdout }).on('line', (line) => waiting.shift()?.(line))
  const ask = (text: string): Promise<string | null> => {
    if (hasEnded) return Promise.resolve(null)
    const { promise, resolve } = Promise.withResolvers<string | null>()
    waiting.push(resolve)
    child.stdin.write(text)
    const late = setTimeout(end, ANSWER_MS).unref()
    return promise.finally(() => clearTimeout(late))
  }
  return { ask, end }
}

/**
 * A record of what containers write, for as long as this host runs. Marks on mounts need the right to administer the
 * machine (CAP_SYS_ADMIN over the file system's own namespace, also in Linux 6.18), so that only a host that runs as root
 * has one; of a host without it nothing is known. Nor is anything while the program has ended or a mount could not be
 * marked: `onChange` is told why, and null once it records every container again, from then on. `againMs` is how long it
 * then waits at first.
 */
export const createContainerWrites = (onChange: (problem: string | null) => void = () => undefined, againMs = AGAIN_MS): ContainerWrites => {
  const [perl, setpriv, calls] = [findTool('perl'), findTool('setpriv'), CALLS[process.arch]]
  const programs = process.platform === 'linux' && process.getuid?.() === 0 && perl !== null && setpriv !== null && calls !== undefined ? { perl, setpriv, calls } : null
  const inits = new Set<ProcessIdentity>()
  let isOver = programs === null
  let recorder: Recorder | null = null
  let problem: string | null = null
  let newest = 0
  let waitMs = againMs

  const begin = (onEnd: () => void): Recorder | null => (programs === null || isOver ? null : startRecorder(programs, newest + 1, onEnd))

  const tell = (now: string | null): void => {
    problem = now
    onChange(now)
  }

  const fail = (): void => {
    recorder = null
    if (isOver) return
    setTimeout(() => void again(), waitMs).unref()
    waitMs = Math.min(2 * waitMs, MAX_AGAIN_MS)
    if (problem === null) tell(FAILED)
  }

  /** What is added meanwhile is in the set, and so comes in turn. */
  const again = async (): Promise<void> => {
    const candidate = begin(fail)
    for (const init of inits) {
      const isMarked = (await candidate?.ask(`add ${init.pid}\n`)) === '1'
      if (!isSameAlive(init)) inits.delete(init)
      else if (!isMarked) return candidate?.end()
    }
    if (candidate === null || (await candidate.ask('cut\n')) === null) return
    recorder = candidate
    tell(null)
  }

  const ask = async (text: string): Promise<string | null> => {
    if (problem !== null) return null
    recorder ??= begin(fail)
    return recorder?.ask(text) ?? null
  }

  const stop = (): void => {
    isOver = true
    recorder?.end()
  }

  return {
    add: async (pid) => {
      const init = identify(pid)
      if (init === null) return
      for (const each of inits) if (!isSameAlive(each)) inits.delete(each)
      inits.add(init)
      if (problem !== null) return
      const asked = (recorder ??= begin(fail))
      if ((await asked?.ask(`add ${pid}\n`)) !== '1') asked?.end()
    },
    miss: () => {
      if (isOver) return
      stop()
      if ([...inits].some(isSameAlive)) tell(UNHELD)
      else problem = UNHELD
    },
    isOn: () => !isOver,
    problem: () => problem,
    close: stop,
    cut: async () => {
      const said = await ask('cut\n')
      if (said === null) return null
      newest = Math.max(newest, Number(said))
      return Number(said)
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
