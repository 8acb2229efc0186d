import { build, stop } from 'esbuild'
import { mkdirSync, renameSync, rmSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { basename, join } from 'node:path'
import { bundlePages } from './pages.mjs'
import { Trouble } from './say.mjs'
import { bundleShell } from './shell.mjs'

/** Packages with machine code: loaded from node_modules at run time. The shim must run without any. */
const NATIVE = ['better-sqlite3', '@napi-rs/keyring', 'koffi']
const ALONE = 'stdio-shim'

/** Packages in CommonJS call `require` for Node's own modules. */
const BANNER = `import { createRequire as __createRequire } from 'node:module'
globalThis.require ??= __createRequire(import.meta.url)`

/**
 * Bundles each file of shared/host (its folders hold what they share) to one file in build/out/host, written aside and
 * renamed, so that a reader sees the old or the new; the pages; and the app. Gives the sizes in words. Fails with esbuild's own errors (file,
 * line) as the message.
 * @param {string} root
 */
export async function bundle(root) {
  const out = join(root, 'build/out/host')
  const aside = join(root, `build/out/host-${process.pid}`)
  try {
    const result = await build({
      absWorkingDir: root,
      entryPoints: ['shared/host/*.ts'],
      outdir: aside,
      outExtension: { '.js': '.mjs' },
      bundle: true,
      platform: 'node',
      target: 'node24',
      format: 'esm',
      external: NATIVE,
      // Its main file loads others in a way that no bundler follows; its modules are in esm.
      alias: { 'jsonc-parser': 'jsonc-parser/lib/esm/main.js' },
      banner: { js: BANNER },
      // Read once its compiled code may be taken: it stays a file of its own.
      plugins: [{ name: 'cli-main', setup: ({ onResolve }) => onResolve({ filter: /^\.\/cli-main\.ts$/ }, () => ({ path: './cli-main.mjs', external: true })) }],
      // A program's text stays in memory while it runs: comments, and characters that make V8 keep two bytes for each, are left out.
      minifyWhitespace: true,
      lineLimit: 200,
      sourcemap: true,
      sourcesContent: false,
      metafile: true,
      logLevel: 'silent',
    }).catch((error) => {
      throw new Trouble(error.message)
    })
    const outputs = Object.entries(result.metafile.outputs)
    const needs = outputs.find(([path]) => path.endsWith(`${ALONE}.mjs`))?.[1].imports
      .filter(({ external, path }) => external && !isBuiltin(path)).map(({ path }) => path)
    if (needs !== undefined && needs.length > 0) {
      throw new Trouble(`${ALONE} must be one file, but it imports ${needs.join(', ')}.`)
    }

    mkdirSync(out, { recursive: true })
    for (const [path] of outputs) renameSync(join(root, path), join(out, basename(path)))
    const pages = await bundlePages(root)
    const shell = await bundleShell(root)
    const programs = outputs
      .filter(([path]) => path.endsWith('.mjs'))
      .map(([path, { bytes }]) => `${basename(path)} ${(bytes / 1024).toFixed(0)} kB`)
      .join(', ')
    return `${programs}, ${pages}, ${shell}`
  } finally {
    rmSync(aside, { recursive: true, force: true })
    await stop()
  }
}
