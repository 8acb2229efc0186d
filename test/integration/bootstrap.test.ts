import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync } from 'node:fs'
import { readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const path = process.env['PATH'] ?? ''
function onPath(program: string): string[] {
  return path.split(delimiter).map((folder) => join(folder, program)).filter((file) => existsSync(file))
}
const realNpm = onPath('npm')[0]
const olderNode = onPath('node').find((node) => {
  const major = Number(execFileSync(node, ['-p', 'process.versions.node.split(".")[0]'], { encoding: 'utf8' }))
  return major >= 20 && major < 24
})
const hasBwrap = onPath('bwrap').length > 0
const nodePackage = `node-${process.platform}-${process.arch}`

const CLI = `
const [what, value] = process.argv.slice(2)
if (what === 'exit') process.exit(Number(value))
else if (what === 'die') process.kill(process.pid, 'SIGKILL')
else if (what === 'wait') {
  process.on('SIGTERM', () => process.exit(7))
  setInterval(() => {}, 1000)
  console.log('ready')
} else {
  const { argv, env, version } = process
  console.log(JSON.stringify({ args: argv.slice(2), cwd: process.cwd(), node: version, env }))
}
`

const scratch: string[] = []
afterEach(() => scratch.splice(0).forEach((folder) => rmSync(folder, { recursive: true, force: true })))

/** A checkout in small: the real build scripts, packages that npm links from a folder, and a CLI of a few lines. */
function createProject({ carriesNode = true } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-bootstrap-'))
  scratch.push(folder)
  const write = (file: string, text: string) => {
    mkdirSync(join(folder, file, '..'), { recursive: true })
    writeFileSync(join(folder, file), text, { mode: 0o755 })
  }
  mkdirSync(join(folder, 'build'))
  for (const file of readdirSync(join(root, 'build'))) {
    if (file.endsWith('.mjs')) cpSync(join(root, 'build', file), join(folder, 'build', file))
  }
  write('shared/host/cli.ts', CLI)
  for (const entry of ['main.tsx', 'theme/apply-theme.ts', 'approval/main.ts', 'index.html', 'approval.html']) write(`renderer/${entry}`, entry.endsWith('html') ? '<!doctype html>' : `console.log('${entry}')`)
  for (const entry of ['main.ts', 'preload/bridge.ts', 'icons/one.svg']) write(`electron/${entry}`, '')
  for (const entry of ['host-main', 'stdio-shim']) write(`shared/host/${entry}.ts`, `console.log('${entry}')`)

  const packages = { esbuild: 'file:vendor/esbuild', ...(carriesNode ? { [nodePackage]: 'file:vendor/node' } : {}) }
  write('vendor/esbuild/package.json', '{ "name": "esbuild", "version": "1.0.0", "exports": "./index.mjs" }')
  write('vendor/esbuild/index.mjs', `export * from '${join(root, 'node_modules/esbuild/lib/main.js')}'`)
  write('vendor/node/package.json', `{ "name": "${nodePackage}", "version": "1.0.0" }`)
  mkdirSync(join(folder, 'vendor/node/bin'))
  symlinkSync(process.execPath, join(folder, 'vendor/node/bin/node'))
  const manifest = { name: 'fixture', version: '1.0.0', dependencies: packages }
  write('package.json', JSON.stringify({ ...manifest, type: 'module', scripts: { holdfast: 'node build/bootstrap.mjs holdfast --' } }))
  const links = Object.entries(packages).flatMap(([name, from]) => {
    const target = from.slice('file:'.length)
    const link = { resolved: target, link: true, os: [process.platform] }
    return [[`node_modules/${name}`, link], [target, { name, version: '1.0.0' }]]
  })
  const locked = { '': manifest, ...Object.fromEntries(links) }
  write('package-lock.json', JSON.stringify({ ...manifest, lockfileVersion: 3, packages: locked }))

  /** What `npm` does, as shell: the real npm unless told otherwise. */
  const replaceNpm = (commands = `exec '${realNpm}' "$@"`) =>
    write('bin/npm', `#!/bin/sh\necho run >> '${folder}/npm-runs'\n${commands}\n`)
  replaceNpm()
  const env = { PATH: `${folder}/bin${delimiter}${path}`, HOME: folder }
  const script = join(folder, 'build/bootstrap.mjs')
  return {
    folder,
    replaceNpm,
    npmRuns: () => readFileSync(`${folder}/npm-runs`, 'utf8').split('\n').length - 1,
    run: (args: string[], more: Record<string, string> = {}, node = process.execPath) =>
      spawnSync(node, [script, ...args], { cwd: folder, env: { ...env, ...more }, encoding: 'utf8' }),
    start: (args: string[]) =>
      spawn(process.execPath, [script, ...args], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] }),
  }
}

describe.skipIf(realNpm === undefined)('bootstrap', () => {
  test('the first run installs and builds, saying so on standard error only; the second does and says nothing', () => {
    const project = createProject()
    const first = project.run(['holdfast', '--', 'sessions', '--json', '--', 'x'])
    expect(first.stderr.replaceAll(/ \(\d+\.\d s\)/g, '').replaceAll(/\d+ kB/g, 'N kB')).toBe(
      'holdfast: installing packages … done\n' +
        'holdfast: building the host … cli.mjs N kB, host-main.mjs N kB, stdio-shim.mjs N kB, dashboard 0.N kB zipped, approval 0.N kB zipped, app N kB\n',
    )
    expect(JSON.parse(first.stdout)).toMatchObject({ args: ['sessions', '--json', '--', 'x'], node: process.version })

    const bundle = join(project.folder, 'build/out/host/cli.mjs')
    writeFileSync(bundle, `console.log('not built again')`)
    expect(project.run(['holdfast', 'sessions'])).toMatchObject({ status: 0, stdout: 'not built again\n', stderr: '' })
    expect(project.npmRuns()).toBe(1)
  })

  test('a changed source is built again, a changed lock file installed again', () => {
    const project = createProject()
    project.run(['start'])
    writeFileSync(join(project.folder, 'shared/host/cli.ts'), `console.log('changed')`)
    expect(project.run(['start']).stdout).toBe('changed\n')
    expect(project.npmRuns()).toBe(1)
    appendFileSync(join(project.folder, 'package-lock.json'), '\n')
    expect(project.run(['start']).stderr).toContain('installing packages')
    expect(project.npmRuns()).toBe(2)
  })

  test('a source that does not build is named with file and line, and the last good build stays', () => {
    const project = createProject()
    project.run(['start'])
    writeFileSync(join(project.folder, 'shared/host/cli.ts'), 'const x = 1\nconst = 2')
    const { status, stderr } = project.run(['start'])
    expect(status).toBe(1)
    expect(stderr).toContain('shared/host/cli.ts:2:6: ERROR')
    expect(spawnSync(process.execPath, [join(project.folder, 'build/out/host/cli.mjs'), 'exit', '3']).status).toBe(3)
    expect(readdirSync(join(project.folder, 'build/out')).filter((name) => name.startsWith('host-'))).toEqual([])
  })

  test('the shim is refused when it needs a package with machine code', () => {
    const project = createProject()
    writeFileSync(join(project.folder, 'shared/host/stdio-shim.ts'), `import 'koffi'`)
    const { status, stderr } = project.run(['start'])
    expect(status).toBe(1)
    expect(stderr).toContain('stdio-shim must be one file, but it imports koffi.')
  })

  test('an installation killed midway is done again, and not before the npm it left has ended', async () => {
    const project = createProject()
    const pipe = join(project.folder, 'pipe')
    execFileSync('mkfifo', [pipe])
    project.replaceNpm(`mkdir -p node_modules/esbuild; echo $$ > '${pipe}'; exec sleep 600`)
    const first = project.start(['start'])
    const npm = Number(await readFile(pipe, 'utf8'))
    // The npm may be this far before the one that started it has noted it.
    await expect.poll(() => readFileSync(join(project.folder, 'build/out/bootstrap-lock.1'), 'utf8')).toContain(` ${npm}`)
    first.kill('SIGKILL')
    await once(first, 'exit')

    project.replaceNpm()
    const second = project.start(['holdfast', 'exit', '5'])
    const ended = once(second, 'exit')
    expect(String((await once(second.stderr, 'data'))[0])).toContain('waiting for another run')
    expect(project.npmRuns()).toBe(1)
    process.kill(npm, 'SIGKILL')
    expect((await ended)[0]).toBe(5)
    expect(project.npmRuns()).toBe(2)
  })

  test('a signal during the installation ends npm first, then the bootstrap by the same signal', async () => {
    const project = createProject()
    const pipe = join(project.folder, 'pipe')
    execFileSync('mkfifo', [pipe])
    project.replaceNpm(`echo $$ > '${pipe}'; exec sleep 600`)
    const child = project.start(['start'])
    const npm = Number(await readFile(pipe, 'utf8'))
    child.kill('SIGTERM')
    expect(await once(child, 'exit')).toEqual([null, 'SIGTERM'])
    expect(() => process.kill(npm, 0)).toThrow('ESRCH')
  })

  test('four bootstraps at once install once, and all run', async () => {
    const project = createProject()
    const children = [1, 2, 3, 4].map((code) => project.start(['holdfast', 'exit', String(code)]))
    expect(await Promise.all(children.map(async (child) => (await once(child, 'exit'))[0]))).toEqual([1, 2, 3, 4])
    expect(project.npmRuns()).toBe(1)
  })

  test.skipIf(!existsSync('/proc/self/stat'))('a lock whose owner is gone, its pid reused or not, is free', () => {
    const project = createProject()
    mkdirSync(join(project.folder, 'build/out'))
    writeFileSync(join(project.folder, 'build/out/bootstrap-lock.4'), `${process.pid}:1 4194304:1`)
    const { status, stderr } = project.run(['holdfast', 'exit', '0'])
    expect(status).toBe(0)
    expect(stderr).not.toContain('waiting')
    expect(readdirSync(join(project.folder, 'build/out')).toSorted()).toEqual(['bootstrap-lock.5', 'electron', 'host', 'renderer'])
  })

  test.each([
    ['ENOTFOUND', 'The package registry cannot be reached.'],
    ['ENOSPC', 'is full. Free about 1 GB'],
    ['EACCES', 'cannot be written. Give your user write access'],
    ['EINTEGRITY', 'is not the one in the lock file'],
  ])('%s from npm is told with what to do next, and the next run tries again', (code, advice) => {
    const project = createProject()
    project.replaceNpm(`mkdir -p node_modules; echo 'npm error code ${code}' >&2; exit 1`)
    const failed = project.run(['start'])
    expect(failed).toMatchObject({ status: 1, stdout: '' })
    expect(failed.stderr).toContain(advice)
    expect(failed.stderr).toContain(`  npm error code ${code}`)
    project.replaceNpm()
    expect(project.run(['holdfast', 'exit', '0']).status).toBe(0)
  })

  test('a package of this platform that npm left out silently fails the installation by name', () => {
    const project = createProject()
    project.replaceNpm(`'${realNpm}' "$@" && rm node_modules/${nodePackage}`)
    const { status, stderr } = project.run(['start'])
    expect(status).toBe(1)
    expect(stderr).toContain(`npm left out: node_modules/${nodePackage}`)
  })

  test.skipIf(!hasBwrap)('a read-only checkout is told as one (needs bwrap)', () => {
    const { folder } = createProject()
    const command = [process.execPath, join(folder, 'build/bootstrap.mjs'), 'start']
    const args = ['--ro-bind', '/', '/', '--dev', '/dev', '--proc', '/proc', ...command]
    const { status, stderr } = spawnSync('bwrap', args, { env: { PATH: path, HOME: folder }, encoding: 'utf8' })
    expect(status).toBe(1)
    expect(stderr).toContain(`${join(folder, 'build/out')} cannot be written. Give your user write access`)
  })

  test.skipIf(olderNode === undefined)('an older Node starts the installed Node 24 (needs a Node 20 to 23)', () => {
    const { stdout } = createProject().run(['start'], {}, olderNode)
    expect(JSON.parse(stdout)).toMatchObject({ args: ['start'], node: process.version })
  })

  test.skipIf(olderNode === undefined)('without a Node 24 it says what to install (needs a Node 20 to 23)', () => {
    const { status, stderr } = createProject({ carriesNode: false }).run(['start'], {}, olderNode)
    expect(status).toBe(1)
    expect(stderr).toContain('Install Node 24 from https://nodejs.org')
  })

  test('a Node older than 20 is refused with what to do', () => {
    const { folder } = createProject()
    const old = `data:text/javascript,Object.defineProperty(process, 'versions', { value: { node: '18.20.8' } })`
    const args = ['--import', old, join(folder, 'build/bootstrap.mjs'), 'start']
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
    expect(status).toBe(1)
    expect(stderr).toContain('Holdfast needs Node 20 or newer to start; this is Node 18.20.8.\nInstall a current Node')
  })

  test('the command ends as the CLI ends: exit code, signal, and a signal passed on', async () => {
    const project = createProject()
    expect(project.run(['holdfast', 'exit', '3']).status).toBe(3)
    expect(project.run(['holdfast', 'die'])).toMatchObject({ status: null, signal: 'SIGKILL' })
    const child = project.start(['holdfast', 'wait'])
    await once(child.stdout, 'data')
    child.kill('SIGTERM')
    expect(await once(child, 'exit')).toEqual([7, null])
  })

  test('under npm the CLI runs in the user\'s folder with the user\'s own PATH and nothing of npm\'s', () => {
    const project = createProject()
    const { stdout } = project.run(['start'], {
      npm_lifecycle_event: 'start',
      npm_package_json: join(project.folder, 'package.json'),
      npm_config_prefix: '/p',
      INIT_CWD: tmpdir(),
      PATH: [`${project.folder}/node_modules/.bin`, '/n/node-gyp-bin', `${project.folder}/bin`, path].join(delimiter),
    })
    const { cwd, env } = JSON.parse(stdout)
    expect(cwd).toBe(tmpdir())
    expect(env).toEqual({ PATH: `${project.folder}/bin${delimiter}${path}`, HOME: project.folder })
  })

  test('the alias that the README makes in a checkout works in any other folder, with quotes and options as they are', () => {
    const { folder } = createProject()
    const elsewhere = mkdtempSync(join(tmpdir(), 'holdfast-elsewhere-'))
    scratch.push(elsewhere)
    const alias = /^alias holdfast=.*$/m.exec(readFileSync(join(root, 'README.md'), 'utf8'))?.[0] ?? ''
    const script = `cd '${folder}'\n${alias}\ncd '${elsewhere}'\nholdfast run --profile x -- claude -p "fix the test"`
    const { stdout } = spawnSync('sh', ['-c', script], { env: { PATH: `${folder}/bin${delimiter}${path}`, HOME: folder }, encoding: 'utf8' })
    expect(JSON.parse(stdout)).toMatchObject({ args: ['run', '--profile', 'x', '--', 'claude', '-p', 'fix the test'], cwd: elsewhere })
  })

  test('an unknown mode is a usage error', () => {
    expect(createProject().run(['frobnicate'])).toMatchObject({ status: 2, stdout: '' })
  })
})
