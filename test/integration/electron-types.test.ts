import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const TYPES = readFileSync(join(ROOT, 'node_modules/electron/electron.d.ts'), 'utf8')

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'hf-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Files in which the app or its double do not fit these types of Electron. */
const misfits = (types: string): string[] => {
  const electron = join(folder, 'electron.d.ts')
  writeFileSync(electron, types)
  const compilerOptions = { types: ['node'], typeRoots: [join(ROOT, 'node_modules/@types')], module: 'ESNext', moduleResolution: 'Bundler', paths: { electron: [electron] } }
  const files = ['electron/main.ts', 'test/support/electron-double.ts'].map((file) => join(ROOT, file))
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ extends: join(ROOT, 'tsconfig.json'), compilerOptions, files }))
  const { stdout } = spawnSync(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', folder, '--pretty', 'false'], { cwd: ROOT, encoding: 'utf8' })
  return [...new Set([...stdout.matchAll(/^(\S+?)\(\d+,\d+\): error/gm)].map(([, file = '']) => file))].toSorted()
}

/** Replaces text that must be there; within the class or interface named, where one is. */
const changed = (within: RegExp, from: string, to: string): string => {
  const at = TYPES.search(within)
  const found = TYPES.indexOf(from, at)
  if (at === -1 || found === -1) throw new Error(`electron.d.ts has no ${from} in ${String(within)}`)
  return TYPES.slice(0, found) + to + TYPES.slice(found + from.length)
}

describe('the app and the tests’ double', () => {
  it('fit the types of the Electron that is installed', () => {
    expect(misfits(TYPES)).toEqual([])
  })

  it.each([
    ['a method that is gone', changed(/interface Dialog /, 'showMessageBox(options', 'showMessage(options'), ['electron/dialogs/ask.ts', 'test/support/electron-double.ts']],
    ['a method that gives something else', changed(/interface GlobalShortcut /, 'register(accelerator: string, callback: () => void): boolean', 'register(accelerator: string, callback: () => void): Promise<boolean>'), ['electron/hotkey/kill-switch.ts', 'test/support/electron-double.ts']],
    ['an option that is gone', changed(/interface WebPreferences /, 'contextIsolation?: boolean', 'isolation?: boolean'), ['electron/security/guards.ts']],
  ])('no longer fit %s', (_what, types, files) => {
    expect(misfits(types)).toEqual(files)
  })
})
