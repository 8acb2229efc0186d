import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { namesPublisher, publisherOf } from './publisher.mjs'
import { Trouble } from './say.mjs'

// `npm run package [-- --dir]`: what people install, for this platform, in build/out/package. With --dir only the
// unpacked app. Arguments go to electron-builder.

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const packageFile = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const { electron } = packageFile.devDependencies
const given = process.env['ELECTRON_OVERRIDE_DIST_PATH']
const args = process.argv.slice(2)

/** The last change, so that the same sources make the same packages. */
function sourceDate() {
  const { status, stdout } = spawnSync('git', ['log', '-1', '--format=%ct'], { cwd: root, encoding: 'utf8' })
  return status === 0 ? stdout.trim() : '0'
}

/** What only a release needs; says what is missing, and ends, where that is not given. */
function publisher() {
  if (!namesPublisher(args, process.platform)) return []
  try {
    const { maintainer, homepage } = publisherOf(process.env, packageFile)
    return [`-c.linux.maintainer=${maintainer}`, `-c.extraMetadata.homepage=${homepage}`]
  } catch (error) {
    console.error(error instanceof Trouble ? `holdfast: ${error.message}` : error)
    process.exit(1)
  }
}

const ofPublisher = publisher()
const manual = spawnSync(process.execPath, [join(root, 'build/out/host/cli.mjs'), 'man'], { env: {}, encoding: 'utf8' })
mkdirSync(join(root, 'build/out/manual'), { recursive: true })
writeFileSync(join(root, 'build/out/manual/holdfast.1'), manual.stdout)

if (given === undefined) console.error(`holdfast: fetching Electron ${electron} from its makers, some 120 MB (or say where one is unpacked: ELECTRON_OVERRIDE_DIST_PATH)`)
else console.error(`holdfast: packaging the Electron in ${given}`)
const { status } = spawnSync(
  process.execPath,
  [
    join(root, 'build/packaging/node_modules/electron-builder/cli.js'),
    '--projectDir', root, '--config', 'build/packaging/electron-builder.yml', '--publish', 'never',
    ...(given === undefined ? [] : [`-c.electronDist=${resolve(given)}`]),
    ...ofPublisher,
    ...args,
  ],
  { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], env: { SOURCE_DATE_EPOCH: sourceDate(), ...process.env } },
)
if (status !== 0) {
  console.error('holdfast: nothing was packaged; the lines above say why.')
  if (given === undefined) console.error('Where Electron cannot be fetched: unpack one, name its folder in ELECTRON_OVERRIDE_DIST_PATH, and run: npm run package -- --dir')
}
process.exitCode = status ?? 1
