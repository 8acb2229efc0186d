import { build } from 'esbuild'
import { copyFileSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { Trouble } from './say.mjs'

/** What the dashboard may weigh without its terminal, zipped, in kB. */
const MAX_DASHBOARD_KB = 400

/** Each page: its own folder and origin. */
const PAGES = [
  { name: 'dashboard', entry: 'renderer/main.tsx', html: 'renderer/index.html' },
  { name: 'approval', entry: 'renderer/approval/main.ts', html: 'renderer/approval.html' },
]

/** The pages' policy forbids making code of text; zod would try. */
const NO_EVAL = 'globalThis.__zod_globalConfig ??= { jitless: true }'

/**
 * zod's one name brings its messages in fifty languages, and only English is used.
 * @type {import('esbuild').Plugin}
 */
const ONE_LANGUAGE = {
  name: 'one-language',
  setup: (pages) => pages.onLoad({ filter: /[\\/]zod[\\/]v4[\\/]locales[\\/]index\.js$/ }, () => ({ contents: "export { default as en } from './en.js'" })),
}

/** @param {string} file */
const zippedKb = (file) => gzipSync(readFileSync(file)).length / 1000

/**
 * Bundles the pages to build/out/renderer, each to a flat folder. Gives the zipped sizes in words. Fails when the
 * dashboard grew past its limit, or when code of others got into the page that answers approvals.
 * @param {string} root
 */
export async function bundlePages(root) {
  const out = join(root, 'build/out/renderer')
  const aside = join(root, `build/out/renderer-${process.pid}`)
  const sizes = []
  try {
    for (const { name, entry, html } of PAGES) {
      const result = await build({
        absWorkingDir: root,
        entryPoints: { main: entry },
        outdir: join(aside, name),
        bundle: true,
        splitting: true,
        format: 'esm',
        platform: 'browser',
        target: 'es2024',
        jsx: 'automatic',
        minify: true,
        banner: { js: NO_EVAL },
        define: { 'process.env.NODE_ENV': '"production"' },
        plugins: [ONE_LANGUAGE],
        metafile: true,
        logLevel: 'silent',
      }).catch((error) => {
        throw new Trouble(error.message)
      })
      const foreign = Object.keys(result.metafile.inputs).find((path) => path.includes('node_modules/'))
      if (name === 'approval' && foreign !== undefined) throw new Trouble(`The approvals page must hold our own code alone, but it imports ${foreign}.`)
      copyFileSync(join(root, html), join(aside, name, 'index.html'))
      let size = 0
      let terminal = 0
      for (const [path, { inputs }] of Object.entries(result.metafile.outputs)) {
        const zipped = zippedKb(join(root, path))
        if (Object.keys(inputs).some((input) => input.includes('@xterm/xterm/lib'))) terminal += zipped
        else size += zipped
      }
      if (size > MAX_DASHBOARD_KB) throw new Trouble(`The page ${name} weighs ${size.toFixed(0)} kB zipped; ${MAX_DASHBOARD_KB} are allowed.`)
      sizes.push(`${name} ${size.toFixed(1)} kB zipped${terminal === 0 ? '' : ` and its terminal ${terminal.toFixed(1)} kB`}`)
    }
    rmSync(out, { recursive: true, force: true })
    mkdirSync(join(out, '..'), { recursive: true })
    renameSync(aside, out)
    return sizes.join(', ')
  } finally {
    rmSync(aside, { recursive: true, force: true })
  }
}
