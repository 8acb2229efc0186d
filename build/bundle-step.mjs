import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { asTrouble, withLine } from './say.mjs'

/** What the bundles are made from: sources, the recipe and the packages. */
const SOURCES = ['shared', 'electron', 'renderer', 'build/bundle.mjs', 'build/pages.mjs', 'build/shell.mjs', 'package-lock.json']

/**
 * Bundles when a source was added, removed or changed (by size and modification time). Does not load esbuild before.
 * @param {string} root
 * @returns {import('./prepare.mjs').Step}
 */
export function bundleStep(root) {
  const stampFile = join(root, 'build/out/host/.bundled')
  const stamp = () => {
    const hash = createHash('sha256')
    for (const source of SOURCES) {
      const path = join(root, source)
      if (!existsSync(path)) continue
      const files = statSync(path).isDirectory() ? readdirSync(path, { recursive: true }).map(String).toSorted() : ['']
      for (const file of files) {
        const { size, mtimeMs } = statSync(join(path, file))
        hash.update(`${source}/${file} ${size} ${mtimeMs}\n`)
      }
    }
    return hash.digest('hex')
  }
  return {
    isDone: () => existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp(),
    run: () =>
      withLine('building the host', async () => {
        try {
          const made = stamp()
          const { bundle } = await import('./bundle.mjs')
          const note = await bundle(root)
          writeFileSync(stampFile, made)
          return note
        } catch (error) {
          throw asTrouble(error, join(root, 'build/out'))
        }
      }),
  }
}
