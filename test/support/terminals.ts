import { afterEach } from 'vitest'
import { createScriptedWorld } from './script.ts'
import { startInTerminal, type TerminalProgram } from './terminal.ts'
import { CLI_FILE, type World } from './world.ts'

/** For tests of the CLI in a terminal: a world and a terminal in it for each test, which end with it. `name` tells them apart. */
export const useTerminals = (name: string) => {
  let world: World | null = null
  let terminal: TerminalProgram | null = null
  afterEach(async () => {
    terminal?.end()
    terminal = null
    await world?.end()
    world = null
  })
  return {
    /** As `createScriptedWorld`. */
    createWorld: async (turns: Parameters<typeof createScriptedWorld>[0]): Promise<World> => (world = await createScriptedWorld(turns)),
    /** `holdfast` with these arguments, in the project of the test's world. */
    open: (...args: string[]): TerminalProgram => {
      if (world === null) throw new Error('there is no world yet')
      return (terminal = startInTerminal(`hf-${name}-${process.pid}`, [process.execPath, CLI_FILE, ...args], { env: world.environment, cwd: world.project }))
    },
  }
}
