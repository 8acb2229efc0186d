import { build } from 'esbuild'
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { Trouble } from './say.mjs'

/** What the dashboard may weigh without its terminal, zipped, in kB. */
const MAX_DASHBOARD_KB = 400

/** Each page: its own folder and origin. */
const PAGES = [
  { name: 'dashboard', entries: { main: 'renderer/main.tsx', theme: 'renderer/theme/apply-theme.ts' }, html: 'renderer/index.html' },
  { name: 'approval', entries: { main: 'renderer/approval/main.ts' }, html: 'renderer/approval.html' },
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

/**
 * The page with a hint for each part that its main script begins by asking for: they come at once, not one after another.
 * @param {string} html
 * @param {import('esbuild').Metafile} metafile
 */
const withPreloads = (html, { outputs }) => {
  const [, main] = Object.entries(outputs).find(([path]) => basename(path) === 'main.js') ?? []
  const first = (main?.imports ?? []).filter(({ kind }) => kind === 'import-statement').map(({ path }) => `    <link rel="modulepreload" fetchpriority="low" href="/${basename(path)}">\n`)
  return html.replace(/ *<script type="module" src="\/main\.js">/, (script) => `${first.join('')}${script}`)
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
    for (const { name, entries, html } of PAGES) {
      const result = await build({
        absWorkingDir: root,
        entryPoints: entries,
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
      writeFileSync(join(aside, name, 'index.html'), withPreloads(readFileSync(join(root, html), 'utf8'), result.metafile))
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
