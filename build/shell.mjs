import { build } from 'esbuild'
import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Trouble } from './say.mjs'

/** The contract uses it, and Electrons before 28 have none: they serve for looking at the app only. */
const OLD_ELECTRON = 'Promise.withResolvers ??= function () { let resolve, reject; const promise = new this((yes, no) => { resolve = yes; reject = no }); return { promise, resolve, reject } }'

/**
 * Bundles the Electron app's own code to build/out/electron: CommonJS files, which every Electron loads, its package
 * file, its icons and the pages, which must have been bundled before. Gives the size in words. Fails with esbuild's own errors as the message.
 * @param {string} root
 */
export async function bundleShell(root) {
  const out = join(root, 'build/out/electron')
  const aside = join(root, `build/out/electron-${process.pid}`)
  try {
    const result = await build({
      absWorkingDir: root,
      entryPoints: { main: 'electron/main.ts', preload: 'electron/preload/bridge.ts' },
      outdir: aside,
      outExtension: { '.js': '.cjs' },
      bundle: true,
      platform: 'node',
      target: 'node16',
      format: 'cjs',
      external: ['electron'],
      banner: { js: OLD_ELECTRON },
      metafile: true,
      logLevel: 'silent',
    }).catch((error) => {
      throw new Trouble(error.message)
    })
    const { version, description, license } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    writeFileSync(join(aside, 'package.json'), JSON.stringify({ name: 'holdfast', productName: 'Holdfast', version, description, license, desktopName: 'holdfast-app.desktop', main: 'main.cjs' }, null, 2))
    cpSync(join(root, 'electron/icons'), join(aside, 'icons'), { recursive: true })
    cpSync(join(root, 'build/out/renderer'), join(aside, 'renderer'), { recursive: true })
    rmSync(out, { recursive: true, force: true })
    mkdirSync(join(out, '..'), { recursive: true })
    renameSync(aside, out)
    const bytes = Object.values(result.metafile.outputs).reduce((sum, output) => sum + output.bytes, 0)
    return `app ${(bytes / 1024).toFixed(0)} kB`
  } finally {
    rmSync(aside, { recursive: true, force: true })
  }
}
