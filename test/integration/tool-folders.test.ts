import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createLinuxProvider } from '../../shared/core/containers/linux.ts'
import { toolFolders } from '../../shared/core/containers/tool-folders.ts'
import { makeScene, runToEnd } from '../fixtures/containers.ts'

const provider = createLinuxProvider()
const missing = await provider.unavailable()

describe.skipIf(missing !== null)('programs that the user keeps at home', () => {
  const scene = makeScene()
  const user = path.join(scene.folder, 'user')
  const at = (file: string): string => path.join(user, file)
  const write = (file: string, text: string, mode = 0o644): void => {
    mkdirSync(path.dirname(at(file)), { recursive: true })
    writeFileSync(at(file), text, { mode })
  }
  const program = (file: string, text: string): void => write(file, `#!/bin/sh\n${text}\n`, 0o755)
  const link = (file: string, target: string): void => {
    mkdirSync(path.dirname(at(file)), { recursive: true })
    symlinkSync(target, at(file))
  }
  const shown = async (folders: readonly string[]): Promise<string[]> =>
    (await toolFolders(folders.map(at).join(':'), { home: user, apart: [scene.project, scene.home] })).map((file) => path.relative(user, file)).sort()
  const inside = async (folders: readonly string[], script: string) => {
    const PATH = [...folders.map(at), '/usr/bin', '/bin'].join(':')
    const readable = await toolFolders(PATH, { home: user, apart: [scene.project, scene.home] })
    return runToEnd(provider, scene.spec(script, { env: { PATH, HOME: user }, homeAt: user, readable: [...readable, process.execPath] }))
  }
  /** `kept` is all that shows of the home, and none of it can be written. */
  const runs = async (folders: readonly string[], command: string, says: string): Promise<void> => {
    const { stdout, stderr } = await inside(folders, `${command}; find ~ -type f -exec grep -ls kept-from-agents {} +; find ~ -type f -writable`)
    expect(`${stdout}${stderr}`).toBe(`${says}\n`)
  }

  beforeAll(() => mkdirSync(user))
  beforeEach(() => {
    for (const folder of [user, scene.home]) {
      rmSync(folder, { recursive: true })
      mkdirSync(folder)
    }
    for (const secret of ['.ssh/id_ed25519', '.aws/credentials', '.npmrc', '.cargo/credentials.toml', '.local/share/keyrings/login.keyring', 'work/other/.env', '.nvm/alias/secret', '.docker/config.json']) write(secret, 'kept-from-agents')
  })
  afterAll(() => rmSync(scene.folder, { recursive: true, force: true }))

  /** A Node installation with npm and a global package, as nvm and fnm lay it out. */
  const installNode = (prefix: string): void => {
    program(`${prefix}/bin/node`, `exec ${process.execPath} "$@"`)
    write(`${prefix}/lib/node_modules/npm/package.json`, '{"type":"commonjs"}')
    write(`${prefix}/lib/node_modules/npm/lib/version.js`, 'module.exports = "npm 99"')
    write(`${prefix}/lib/node_modules/npm/bin/npm-cli.js`, '#!/usr/bin/env node\nconsole.log(require("../lib/version.js"))\n', 0o755)
    link(`${prefix}/bin/npm`, '../lib/node_modules/npm/bin/npm-cli.js')
  }

  test('nvm: node, npm and global packages run', async () => {
    installNode('.nvm/versions/node/v24.0.0')
    await runs(['.nvm/versions/node/v24.0.0/bin'], 'node -p 1+1; npm', '2\nnpm 99')
  })

  test('fnm: through the link that it makes for each shell', async () => {
    installNode('.local/share/fnm/node-versions/v24/installation')
    link('run/fnm_multishells/1_2', at('.local/share/fnm/node-versions/v24/installation'))
    await runs(['run/fnm_multishells/1_2/bin'], 'npm', 'npm 99')
  })

  test('volta and asdf: a shim finds the version that it stands for', async () => {
    program('.volta/tools/image/node/24/bin/node', 'echo volta node')
    program('.volta/bin/node', 'exec "$HOME/.volta/tools/image/node/24/bin/node"')
    program('.asdf/installs/python/3/bin/python', 'echo asdf python')
    program('.asdf/shims/python', 'exec "$HOME/.asdf/installs/python/3/bin/python"')
    await runs(['.volta/bin', '.asdf/shims'], 'node; python', 'volta node\nasdf python')
  })

  test('pnpm: its programs and global packages run, and its store is left to the agent’s own', async () => {
    program('.local/share/pnpm/tool', 'exec "$(dirname "$0")/global/5/node_modules/tool/cli.sh"')
    program('.local/share/pnpm/global/5/node_modules/tool/cli.sh', 'echo pnpm tool')
    write('.local/share/pnpm/store/v3/file', 'kept-from-agents')
    await runs(['.local/share/pnpm'], 'tool', 'pnpm tool')
    expect((await inside(['.local/share/pnpm'], 'mkdir ~/.local/share/pnpm/store && echo made')).stdout).toBe('made\n')
  })

  test('cargo: rustup’s programs find the toolchain, and cargo’s own credentials stay out', async () => {
    program('.cargo/bin/rustup', 'exec "$HOME/.rustup/toolchains/stable/bin/$(basename "$0")"')
    link('.cargo/bin/cargo', 'rustup')
    program('.rustup/toolchains/stable/bin/cargo', 'echo cargo')
    await runs(['.cargo/bin'], 'cargo', 'cargo')
  })

  test('~/.local/bin: a link to a version, a Python tool in an environment of its own, and a user’s Python packages run', async () => {
    program('.local/share/tool/versions/1/tool', 'echo the tool')
    link('.local/share/tool/current', 'versions/1')
    link('.local/bin/tool', '../share/tool/current/tool')
    write('.local/share/pipx/venvs/black/pyvenv.cfg', '')
    link('.local/share/pipx/venvs/black/bin/python', '/bin/sh')
    write('.local/share/pipx/venvs/black/lib/black.sh', 'echo black')
    write('.local/share/pipx/venvs/black/bin/black', `#!${at('.local/share/pipx/venvs/black/bin/python')}\n. "$HOME/.local/share/pipx/venvs/black/lib/black.sh"\n`, 0o755)
    link('.local/bin/black', at('.local/share/pipx/venvs/black/bin/black'))
    write('.local/lib/python3/site-packages/x.py', 'x')
    await runs(['.local/bin'], 'tool; black; cat ~/.local/lib/python3/site-packages/x.py; echo', 'the tool\nblack\nx')
  })

  test('a program that is a link there is started by its name', async () => {
    program('packages/node_modules/agent/cli', 'echo agent')
    link('.local/bin/agent', at('packages/node_modules/agent/cli'))
    const PATH = at('.local/bin')
    const readable = [...(await toolFolders(PATH, { home: user, apart: [] })), at('.local/bin/agent'), at('packages/node_modules/agent/cli')]
    const { stdout, stderr } = await runToEnd(provider, { ...scene.spec('', { env: { PATH }, homeAt: user, readable }), file: at('.local/bin/agent'), args: [] })
    expect(`${stdout}${stderr}`).toBe('agent\n')
  })

  test('a folder of another kind shows the programs in it, and nothing else', async () => {
    program('tools/run', 'echo runs')
    write('tools/notes.txt', 'kept-from-agents')
    program('tools/sub/other', 'echo kept-from-agents')
    await runs(['tools'], 'run', 'runs')
  })

  test('what a container shows of the home is not to be written, replaced or moved away', async () => {
    program('.local/bin/tool', 'echo the tool')
    const { stdout } = await inside(['.local/bin'], 'echo x > ~/.local/bin/tool; rm -f ~/.local/bin/tool; mv ~/.local ~/.l; touch ~/.local/bin/y; ln -sf /bin/false ~/.local/bin/tool; tool; ls -A ~ ~/.local/bin')
    expect(stdout).toBe(`the tool\n${user}:\n.local\n\n${at('.local/bin')}:\ntool\n`)
  })

  test.each(['', '..', '../..', '.ssh', '.ssh/bin', '.aws/bin', '.gnupg/bin', '.docker/bin', '.config/gh/bin', '.local/share/keyrings/bin'])('a PATH that names ~/%s shows nothing of it', async (folder) => {
    program(`${folder}/tool`, 'echo kept-from-agents')
    write(`${folder}/secret`, 'kept-from-agents')
    expect(await shown([folder])).toEqual([])
    rmSync(path.join(user, folder, 'tool'))
    rmSync(path.join(user, folder, 'secret'))
  })

  test('what any user of the machine can change is not shown', async () => {
    program('open/bin/tool', 'echo no')
    chmodSync(at('open'), 0o777)
    expect(await shown(['open/bin'])).toEqual([])
    chmodSync(at('open'), 0o755)
    expect(await shown(['open/bin'])).toEqual(['open/bin'])
  })

  test('a link leads to no key, to no file that is not a program, and to no other project’s files beside it', async () => {
    chmodSync(at('.ssh/id_ed25519'), 0o755)
    link('.local/bin/key', at('.ssh/id_ed25519'))
    link('.local/bin/env', at('work/other/.env'))
    link('.local/bin/folder', at('work/other'))
    program('work/other/cli', 'echo cli')
    link('.local/bin/cli', at('work/other/cli'))
    expect(await shown(['.local/bin'])).toEqual(['.local/bin', 'work/other/cli'])
  })

  test('the agent’s own folders stay its own: those on the PATH, what holds them, and what a program there leads to', async () => {
    mkdirSync(path.join(scene.project, 'bin'), { recursive: true })
    writeFileSync(path.join(scene.project, 'bin/own'), '', { mode: 0o755 })
    link('.local/bin/own', path.join(scene.project, 'bin/own'))
    const folders = [path.join(scene.project, 'bin'), scene.folder, 'relative/bin', at('.local/bin')].join(':')
    expect(await toolFolders(folders, { home: user, apart: [scene.project, scene.home] })).toEqual([at('.local/bin')])
  })

  test('Holdfast’s data stays hidden, also where the PATH names it', async () => {
    program('.holdfast/bin/tool', 'echo no')
    const { stdout } = await runToEnd(provider, scene.spec(`ls -A ${user}`, { homeAt: user, readable: await toolFolders(at('.holdfast/bin'), { home: user, apart: [] }), hidden: [at('.holdfast')] }))
    expect(stdout).toBe('')
  })
})
