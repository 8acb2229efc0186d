import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync } from 'node:fs'
import { connect } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Client } from '../../shared/contract/client.ts'
import { COMMANDS, PROTOCOL_VERSION, type CommandName } from '../../shared/contract/protocol.ts'
import type { Endpoint } from '../../shared/core/transports/endpoint-file.ts'
import { readEndpoint } from '../../shared/core/transports/endpoint-file.ts'
import { frameSocketOf } from '../../shared/core/transports/frames.ts'
import { connectLocal } from '../../shared/core/transports/local-socket-client.ts'
import { canMakeDeb, filesIn, filesInArchive, fusesOf, hashOf, missingForPackaging, packageInto, placeholderElectron, withFpm } from '../fixtures/packaged.ts'

const missing = missingForPackaging()
const TEMPLATES = ['', '@2x', '@3x', 'Template', 'Template@2x', 'Template@3x']
const TRAY = ['away', 'idle', 'killed', 'over-budget', 'running', 'waiting'].flatMap((state) => TEMPLATES.map((suffix) => `icons/tray-${state}${suffix}.png`))
const ICONS = [16, 22, 24, 32, 48, 512].map((size) => `icons/app/${size}.png`)
/** Parts of the dashboard that are loaded later have names of the build's own making. */
const LATER = /(?:^|\/)renderer\/dashboard\/[\w-]+-[A-Z0-9]{8}\.js$/
const cpu = process.arch

describe.skipIf(missing !== null)(`the app as it is packaged${missing === null ? '' : ` (missing: ${missing})`}`, () => {
  let folder: string
  let app: string
  let resources: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'hf-'))
    packageInto(join(folder, 'one'), placeholderElectron(join(folder, 'electron')))
    app = join(folder, 'one', cpu === 'x64' ? 'linux-unpacked' : `linux-${cpu}-unpacked`)
    resources = join(app, 'resources')
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it('holds the files that it needs, and no test, source, map, dev dependency or other platform’s code', () => {
    const listed = filesIn(app).filter((file) => !LATER.test(file))
    const programs = readdirSync('shared/host').flatMap((file) => (file.endsWith('.ts') ? [file.replace('.ts', '')] : []))
    const methods = ['aggregate', 'backup', 'explain', 'function', 'inspect', 'pragma', 'serialize', 'table', 'transaction', 'wrappers']
    const platforms = ['darwin', 'linux', 'linuxmusl', 'win32'].flatMap((platform) => [`${platform}-arm64`, `${platform}-x64`])
    const inModules = [
      `@koromix/koffi-linux-${cpu}/index.js`, `@koromix/koffi-linux-${cpu}/linux_${cpu}/koffi.node`, `@koromix/koffi-linux-${cpu}/musl_${cpu}/koffi.node`, `@koromix/koffi-linux-${cpu}/package.json`,
      ...['LICENSE', 'index.js', 'package.json'].map((file) => `@napi-rs/keyring/${file}`),
      ...['LICENSE.third-party.md', `keyring.linux-${cpu}-gnu.node`, 'package.json'].map((file) => `@napi-rs/keyring-linux-${cpu}-gnu/${file}`),
      ...['LICENSE', 'package.json', `prebuilds/linux-${cpu}.node`].map((file) => `better-sqlite3/${file}`),
      ...['binding', 'database', 'index', 'sqlite-error', 'util', ...platforms, ...methods.map((name) => `methods/${name}`)].map((name) => `better-sqlite3/lib/${name}.js`),
      ...['LICENSE.txt', 'index.cjs', 'index.js', 'indirect.cjs', 'indirect.js', 'package.json'].map((file) => `koffi/${file}`),
      ...['index.cjs', 'index.js', 'indirect.cjs', 'indirect.js', 'src/static.cjs', 'src/static.js', 'src/trampolines.cjs'].map((file) => `koffi/src/koffi/${file}`),
    ]
    const inResources = [
      'LICENSE', 'app.asar', 'bin/holdfast', 'runtime/LICENSE', 'runtime/node',
      ...programs.map((name) => `app.host/host/${name}.mjs`),
      ...['index.html', 'main.css', 'main.js'].flatMap((file) => [`app.host/renderer/approval/${file}`, `app.host/renderer/dashboard/${file}`]),
      'app.host/renderer/dashboard/theme.js',
      ...inModules.map((file) => `app.host/node_modules/${file}`),
    ]
    const ofElectron = ['LICENSE.electron.txt', 'LICENSES.chromium.html', 'holdfast-app', 'locales/en-US.pak']
    expect(listed).toEqual([...ofElectron, ...inResources.map((file) => `resources/${file}`)].toSorted())
    const pages = listed.flatMap((file) => (file.startsWith('resources/app.host/renderer/') ? [file.slice('resources/app.host/'.length)] : []))
    expect(filesInArchive(join(resources, 'app.asar')).filter((file) => !LATER.test(file))).toEqual(['main.cjs', 'package.json', 'preload.cjs', ...pages, ...ICONS, ...TRAY].toSorted())
  })

  it('is the same when it is packaged again', () => {
    packageInto(join(folder, 'two'), join(folder, 'electron'))
    expect(hashOf(app.replace('/one/', '/two/'))).toBe(hashOf(app))
    rmSync(join(folder, 'two'), { recursive: true })
  })

  it('has its fuses set: no Node by a switch or the environment, no inspector, encrypted cookies, its own archive alone', () => {
    // In @electron/fuses' order: RunAsNode, EnableCookieEncryption, EnableNodeOptionsEnvironmentVariable, EnableNodeCliInspectArguments,
    // EnableEmbeddedAsarIntegrityValidation, OnlyLoadAppFromAsar, LoadBrowserProcessSpecificV8Snapshot, GrantFileProtocolExtraPrivileges.
    expect(fusesOf(join(app, 'holdfast-app'))).toBe('01001100')
  })

  it('is no deb or rpm without a maintainer and a home page', () => {
    expect(() => packageInto(join(folder, 'three'), join(folder, 'electron'), ['--linux', 'deb'])).toThrow('A deb or rpm names who maintains it and its home page, and none is given.')
    expect(existsSync(join(folder, 'three'))).toBe(false)
  })

  describe('as a deb and an rpm', () => {
    let notes: string
    beforeAll(() => {
      notes = join(folder, 'notes')
      packageInto(join(folder, 'three'), join(folder, 'electron'), ['--linux', 'deb', 'rpm'], withFpm(notes))
    })

    it.each(['deb', 'rpm'])('the %s tells its needs, its links and its icons to the package manager', (target) => {
      const { args, entry } = JSON.parse(readFileSync(join(notes, `${target}.json`), 'utf8')) as { args: string[]; entry: string }
      expect(args).toEqual(expect.arrayContaining(['build/packaging/usr-bin-holdfast=/usr/bin/holdfast', 'build/out/manual/holdfast.1=/usr/share/man/man1/holdfast.1']))
      expect(args).toEqual(expect.arrayContaining(['bubblewrap', 'git', '--license', 'MIT', 'A Person <a@person.example>', 'https://holdfast.example/']))
      expect(args.filter((argument) => argument.endsWith('/apps/holdfast-app.png')).map((argument) => argument.split('=')[1])).toEqual(
        [16, 22, 24, 32, 48, 512].map((size) => `/usr/share/icons/hicolor/${size}x${size}/apps/holdfast-app.png`),
      )
      expect(entry.split('\n')).toEqual(expect.arrayContaining(['Name=Holdfast', 'Exec=/opt/Holdfast/holdfast-app %U', 'MimeType=x-scheme-handler/holdfast;', 'Categories=Development;', 'StartupWMClass=holdfast-app']))
    })

    it.skipIf(!canMakeDeb)('the deb holds `holdfast` on PATH, and its scripts leave nothing when it is removed (by a stand-in for fpm and the real dpkg-deb, in a folder for a root)', () => {
      const root = join(folder, 'root')
      const deb = join(folder, 'three', readdirSync(join(folder, 'three')).find((file) => file.endsWith('.deb')) ?? '')
      for (const [what, to] of [['-x', root], ['-e', join(folder, 'control')]] as const) expect(spawnSync('dpkg-deb', [what, deb, to]).status).toBe(0)
      expect(filesIn(root).filter((file) => !file.startsWith('opt/') && !file.includes('/icons/'))).toEqual(['usr/bin/holdfast', 'usr/share/applications/holdfast-app.desktop', 'usr/share/doc/holdfast/copyright', 'usr/share/man/man1/holdfast.1'])
      expect(readFileSync(join(root, 'usr/bin/holdfast'), 'utf8')).toContain('exec /opt/Holdfast/resources/bin/holdfast "$@"')
      expect(spawnSync(join(root, 'opt/Holdfast/resources/bin/holdfast'), ['--version'], { env: { PATH: '/usr/bin:/bin' }, encoding: 'utf8' }).stdout).toBe('0.1.0\n')
      // Nothing but these, so that no script reaches the machine's own links and databases.
      const tools = join(folder, 'tools')
      mkdirSync(tools)
      for (const tool of ['chmod', 'ln', 'readlink', 'rm']) symlinkSync(join('/bin', tool), join(tools, tool))
      const script = (name: string) => {
        const text = readFileSync(join(folder, 'control', name), 'utf8').replaceAll(/'(?=\/(?:usr|opt|etc)\/)/g, `'${root}`)
        return spawnSync('/bin/bash', ['-c', text], { env: { PATH: tools }, encoding: 'utf8' })
      }
      expect(script('postinst')).toMatchObject({ status: 0, stdout: '' })
      expect(readlinkSync(join(root, 'usr/bin/holdfast-app'))).toBe(join(root, 'opt/Holdfast/holdfast-app'))
      expect(script('postrm').status).toBe(0)
      expect(readdirSync(join(root, 'usr/bin'))).toEqual(['holdfast'])
    })
  })

  describe('its host, started from the resources', () => {
    let env: Record<string, string>
    let endpoint: Endpoint
    let client: Client
    const holdfast = (...args: string[]) => spawnSync(join(resources, 'bin/holdfast'), args, { env, cwd: folder, encoding: 'utf8', timeout: 60_000 })
    beforeAll(async () => {
      env = { PATH: '/usr/bin:/bin', HOME: folder, HOLDFAST_HOME: join(folder, 'h'), LANG: 'C.UTF-8' }
      expect(holdfast('up')).toMatchObject({ status: 0, stderr: '' })
      const found = await readEndpoint(join(folder, 'h/run'))
      if (found === null) throw new Error('no host runs')
      endpoint = found
      client = await connectLocal(endpoint, 'test')
    })
    afterAll(() => {
      client.close()
      expect(holdfast('down').status).toBe(0)
    })

    it('runs on the Node that is packaged, whatever Node the machine has', async () => {
      const { pid } = await client.call('host/info', {})
      expect(spawnSync('readlink', [`/proc/${pid}/exe`], { encoding: 'utf8' }).stdout.trim()).toBe(join(resources, 'runtime/node'))
    })

    it.each(Object.keys(COMMANDS) as CommandName[])('knows %s, and tells what is wrong with parameters that do not fit', async (name) => {
      const takesNothing = COMMANDS[name].params.safeParse({}).success
      const answer = await client.call(name, takesNothing ? ('nonsense' as never) : ({} as never)).catch((error: unknown) => error)
      expect(answer).toMatchObject({ code: 'bad-params' })
    })

    it('answers what takes no parameters as the contract has it', async () => {
      for (const name of ['host/info', 'session/list', 'approval/list', 'secret/list'] as const) await client.call(name, {}).catch((error: { code: string }) => expect([name, error.code]).toEqual(['secret/list', 'secret-unavailable']))
    })

    it('refuses another token, another version and a command nobody knows', async () => {
      const hello = async (changes: object) => {
        const socket = connect(endpoint.socketPath)
        await once(socket, 'connect')
        socket.write(`${JSON.stringify({ hello: { protocol: PROTOCOL_VERSION, token: endpoint.token, client: 'test', ...changes } })}\n`)
        const [line] = (await once(socket.setEncoding('utf8'), 'data')) as [string]
        socket.destroy()
        return (JSON.parse(line) as { error: { code: string } }).error.code
      }
      expect(await hello({ token: `${endpoint.token}x` })).toBe('unauthorised')
      expect(await hello({ protocol: 99 })).toBe('version-mismatch')
      const socket = connect(endpoint.socketPath)
      await once(socket, 'connect')
      const frames = frameSocketOf(socket)
      const answers: { id: number; error?: { code: string } }[] = []
      frames.onFrame((frame) => answers.push(JSON.parse(frame) as (typeof answers)[number]))
      frames.send(JSON.stringify({ hello: { protocol: PROTOCOL_VERSION, token: endpoint.token, client: 'test' } }))
      frames.send(JSON.stringify({ id: 1, command: 'nothing/such', params: {} }))
      frames.send(JSON.stringify({ id: 2, command: 'host/info', params: {} }))
      await expect.poll(() => answers).toMatchObject([{ id: 0, result: {} }, { id: 1, error: { code: 'unknown-command' } }, { id: 2, result: { pid: endpoint.pid } }])
      frames.close()
    })

    it('plays the guided session: contained, held, killed, put back, undone, audited', () => {
      const { status, stdout } = holdfast('start', '--json')
      expect(JSON.parse(stdout)).toMatchObject({ held: 1, restored: true, undone: true, ledger: { ok: true }, kill: { survivors: [] } })
      expect(status).toBe(0)
    })
  })
})
