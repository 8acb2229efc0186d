import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { randomIds } from '../identifiers.ts'
import type { ContainerProvider } from '../ports.ts'
import { filesBehind } from './find-executable.ts'

const TIMEOUT_MS = 15_000
const LARGEST_ANSWER = 65_536

/** Runs a program that is to say something of itself, and gives what it said; '' when it failed, said too much or took too long. */
export type AskProgram = (file: string, args: readonly string[], path: string) => Promise<string>

/**
 * Asks in a container of its own, so that a program nobody has looked at yet reaches nothing: an empty home that is
 * thrown away, nothing of the user's, nothing it may write, and no network where the container can close it.
 */
export const createAskProgram = ({ kind, launch }: ContainerProvider): AskProgram => async (file, args, path) => {
  const scratch = await realpath(await mkdtemp(join(tmpdir(), 'holdfast-ask-')))
  const home = join(scratch, 'home')
  try {
    await mkdir(home)
    const homeAt = kind === 'linux' ? '/home/nobody' : home
    const container = await launch({
      ...{ sessionId: randomIds.session(), file, args, cwd: homeAt, env: { PATH: path, HOME: homeAt }, terminal: null },
      ...{ writable: [], readable: await filesBehind(file), hidden: [], home, homeAt, killFile: join(scratch, 'kill.json') },
      network: kind === 'linux' ? 'none' : 'open',
    })
    const late = setTimeout(() => void container.kill(), TIMEOUT_MS)
    try {
      let said = ''
      container.pipes?.stdin.end()
      container.pipes?.stderr.resume()
      for await (const chunk of (container.pipes?.stdout ?? []) as AsyncIterable<Buffer>) {
        said += chunk.toString('utf8')
        if (said.length > LARGEST_ANSWER) return ''
      }
      return (await container.exited).code === 0 ? said : ''
    } finally {
      clearTimeout(late)
      await container.kill()
    }
  } catch {
    return ''
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}
