import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { homedir, tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createAskProgram } from '../../shared/core/agents/ask-program.ts'
import { requireVersion } from '../../shared/core/agents/claude-code/version.ts'
import { createLinuxProvider } from '../../shared/core/containers/linux.ts'
import { aliveWith, makeScene } from '../fixtures/containers.ts'

const provider = createLinuxProvider()
const missing = await provider.unavailable()

describe.skipIf(missing !== null)('a program that is asked for its version', () => {
  const ask = createAskProgram(provider)
  let scene: ReturnType<typeof makeScene>
  beforeEach(() => (scene = makeScene()))
  afterEach(() => rmSync(scene.folder, { recursive: true, force: true }))
  const program = (script: string): string => {
    const file = path.join(scene.folder, 'bin', 'claude')
    mkdirSync(path.dirname(file), { recursive: true })
    writeFileSync(file, `#!/bin/sh\n${script}\n`)
    chmodSync(file, 0o755)
    return file
  }

  test('answers', async () => {
    expect(await requireVersion(ask, program('echo "2.1.330 (Claude Code)"'), '/usr/bin:/bin')).toBe('2.1.330')
  })

  test('reads nothing of the user’s, writes nothing, reaches nothing, and leaves no process', async () => {
    writeFileSync(path.join(scene.project, 'secret'), 'canary')
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as { port: number }
    const said = await ask(
      program(
        [
          `cat ${scene.project}/secret 2>/dev/null; ls -A "$HOME" ${homedir()} ${scene.folder} 2>/dev/null | grep -v '^bin$\\|:$\\|^$'`,
          `echo x > ${scene.folder}/bin/made; echo x > /usr/made; echo x > ${tmpdir()}/holdfast-ask-made`,
          `if command -v python3 >/dev/null; then python3 -c 'import socket; socket.create_connection(("127.0.0.1", ${port}), 2); print("REACHED")'; fi`,
          '( setsid sleep 31.4159 & )',
          'env | cut -d= -f1 | sort | tr "\\n" " "',
        ].join('\n'),
      ),
      [],
      '/usr/bin:/bin',
    )
    server.close()
    expect(said).toBe('HOME PATH PWD ')
    expect(['bin/made'].filter((name) => existsSync(path.join(scene.folder, name)))).toEqual([])
    expect(aliveWith('31.4159')).toEqual([])
    expect([existsSync('/usr/made'), existsSync(path.join(tmpdir(), 'holdfast-ask-made'))]).toEqual([false, false])
  })

  test.each([
    ['fails', 'echo "2.1.330 (Claude Code)"; exit 1'],
    ['is cut off when it says too much', 'yes 2.1.330'],
    ['does not start', 'exec /no/such/program'],
  ])('one that %s has said nothing', async (_, script) => expect(await ask(program(script), [], '/usr/bin:/bin')).toBe(''))

  test('leaves no folder behind', async () => {
    const before = readdirSync(tmpdir()).filter((name) => name.startsWith('holdfast-ask-'))
    await ask(program('echo x'), [], '/usr/bin:/bin')
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith('holdfast-ask-') && !before.includes(name))).toEqual([])
  })
})
