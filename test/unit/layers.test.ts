import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const scratch: string[] = []
afterEach(() => scratch.splice(0).forEach((folder) => rmSync(folder, { recursive: true })))

/** Runs the layer check alone over a folder and gives its findings as `file:line: rule in words`, sorted. */
function checkLayers(folder: string, rule = 'layers'): { status: number | null; findings: string[]; output: string } {
  const oxlint = join(root, 'node_modules/oxlint/bin/oxlint')
  const args = [oxlint, '-f', 'unix', '-A', 'all', '-D', `holdfast/${rule}`]
  const { status, stdout } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' })
  const reports = stdout.matchAll(/^(.+?:\d+):\d+: (.*) \[Error\/holdfast\(\w+\)\]$/gm)
  return { status, findings: [...reports].map(([, at, words]) => `${at}: ${words}`).toSorted(), output: stdout }
}

function plant(files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-layers-'))
  scratch.push(folder)
  for (const file of ['.oxlintrc.json', 'build/layers.mjs']) cpSync(join(root, file), join(folder, file))
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    writeFileSync(join(folder, file), text)
  }
  return folder
}

const DOMAIN = 'it may import its own files and shared/contract, zod, unbash, yaml, jsonc-parser, smol-toml'

test('the real tree keeps to its layers', () => {
  expect(checkLayers(root)).toMatchObject({ status: 0, findings: [] })
})

test('every kind of import is seen, with file, line and the rule in words', () => {
  const text = [
    `import { a } from '../core/a.ts'`,
    `import type { B } from '../core/b.ts'`,
    `import 'node:fs'`,
    `export { d } from 'better-sqlite3'`,
    `export * from 'fs/promises'`,
    `export type { F } from '../host/f.ts'`,
    `export type G = import('electron').App`,
    `export const h = import('../core/h.ts')`,
    `export const i = require('node:os')`,
    `export const j = require.resolve('koffi')`,
    'export const k = import(`node:net`)',
    `export const l = (name: string) => import(name)`,
    `import m = require('node:tls')`,
  ].join('\n')
  const { status, findings } = checkLayers(plant({ 'shared/domain/planted.ts': text }))
  expect(status).toBe(1)
  expect(findings).toEqual(
    [
      `1: shared/domain may not import shared/core; ${DOMAIN}`,
      `2: shared/domain may not import shared/core; ${DOMAIN}`,
      `3: shared/domain may not import node:fs; ${DOMAIN}`,
      `4: shared/domain may not import better-sqlite3; ${DOMAIN}`,
      `5: shared/domain may not import fs/promises; ${DOMAIN}`,
      `6: shared/domain may not import shared/host; ${DOMAIN}`,
      `7: shared/domain may not import electron; ${DOMAIN}`,
      `8: shared/domain may not import shared/core; ${DOMAIN}`,
      `9: shared/domain may not import node:os; ${DOMAIN}`,
      `10: shared/domain may not import koffi; ${DOMAIN}`,
      `11: shared/domain may not import node:net; ${DOMAIN}`,
      '12: an import must name its module in a plain string',
      `13: shared/domain may not import node:tls; ${DOMAIN}`,
    ].map((finding) => `shared/domain/planted.ts:${finding}`).toSorted(),
  )
})

test('each layer refuses what the design does not list for it', () => {
  const planted = [
    ['shared/contract', `import '../domain/y.ts'`, 'shared/contract may not import shared/domain'],
    ['shared/contract', `import 'node:crypto'`, 'shared/contract may not import node:crypto'],
    ['shared/contract', `import 'yaml'`, 'shared/contract may not import yaml'],
    ['shared/core/deep', `import '../../host/cli.ts'`, 'shared/core may not import shared/host'],
    ['shared/core', `import 'electron'`, 'shared/core may not import electron'],
    ['shared/core', `import '@electron/fuses'`, 'shared/core may not import @electron/fuses'],
    ['shared/core', `import 'electron/main'`, 'shared/core may not import electron/main'],
    ['shared/core', `import '../../test/y.ts'`, 'shared/core may not import test/y.ts'],
    ['shared/core', `import '../../../elsewhere.ts'`, 'shared/core may not import elsewhere.ts'],
    ['shared/core', `import 'file:///y.mjs'`, 'shared/core may not import file:///y.mjs'],
    ['shared/host', `import '../../electron/y.ts'`, 'shared/host may not import electron'],
    ['shared/host', `import 'better-sqlite3'`, 'shared/host may not import better-sqlite3'],
    ['electron', `import '../shared/core/y.ts'`, 'electron may not import shared/core'],
    ['electron', `import 'zod'`, 'electron may not import zod'],
    ['electron/preload', `import '../../shared/contract/y.ts'`, 'electron/preload may not import shared/contract'],
    ['electron/preload', `import 'node:fs'`, 'electron/preload may not import node:fs'],
    ['renderer', `import '../shared/core/y.ts'`, 'renderer may not import shared/core'],
    ['renderer', `import 'node:fs'`, 'renderer may not import node:fs'],
    ['renderer/features/x', `import '@ariakit/react/dialog'`, 'renderer may not import @ariakit/react/dialog'],
    ['renderer/ui', `import '../connection/hooks.ts'`, 'renderer/ui may not import renderer'],
    ['renderer/approval', `import '../ui/button.tsx'`, 'renderer/approval may not import renderer/ui'],
    ['build', `import 'electron'`, 'build may not import electron'],
    ['shared', `import 'zod'`, 'shared/planted-22.ts is in no layer'],
  ] as const
  const name = (folder: string, index: number) => `${folder}/planted-${index}.ts`
  const folder = plant(Object.fromEntries(planted.map(([place, text], index) => [name(place, index), text])))
  const { status, findings } = checkLayers(folder)
  expect(status).toBe(1)
  expect(findings.map((finding) => finding.split(';')[0])).toEqual(
    planted.map(([place, , words], index) => `${name(place, index)}:1: ${words}`).toSorted(),
  )
})

test('what the design lists is allowed, and tests may import anything', () => {
  const folder = plant({
    'shared/contract/x.ts': `import { z } from 'zod'; import './y.ts'; export { z }`,
    'shared/domain/x.ts': `import '../contract/x.ts'; import 'unbash'`,
    'shared/core/x.ts': `import '../domain/x.ts'; import '../contract/x.ts'; import 'fs'; import '@napi-rs/keyring'`,
    'shared/host/x.ts': `import '../core/x.ts'; import '../contract/x.ts'; import 'node:fs'`,
    'electron/main.ts': `import 'electron/main'; import '../shared/contract/x.ts'; import 'node:fs'`,
    'electron/preload/x.ts': `import 'electron'; export type { X } from '../../shared/contract/x.ts'`,
    'renderer/x.tsx': `import 'react'; import 'react-dom/client'; import '../shared/domain/x.ts'; import './ui/x.tsx'`,
    'renderer/ui/x.tsx': `import 'react'; import '@ariakit/react/dialog'; import '../../shared/domain/x.ts'`,
    'build/x.mjs': `import 'esbuild'; import './layers.mjs'`,
    'test/x.ts': `import 'electron'; import '../shared/core/x.ts'; export const y = (z: string) => import(z)`,
  })
  expect(checkLayers(folder)).toMatchObject({ status: 0, findings: [] })
})

test('a page takes its controls from renderer/ui: no element that a component stands for is written in one', () => {
  const text = `export const X = () => <p><button /><select /><b /><ui.input /></p>\n`
  const { status, findings } = checkLayers(plant({ 'renderer/features/x.tsx': text, 'renderer/app.tsx': `export const y = <dialog />\n`, 'renderer/ui/x.tsx': text }), 'components')
  expect([status, findings]).toEqual([
    1,
    [
      'renderer/app.tsx:1: a page has no <dialog> of its own; take the component from renderer/ui',
      'renderer/features/x.tsx:1: a page has no <button> of its own; take the component from renderer/ui',
      'renderer/features/x.tsx:1: a page has no <select> of its own; take the component from renderer/ui',
    ],
  ])
})

const IMPORT: [string, string] = ['shared/domain/x.ts', "import 'node:fs'"]
const BUTTON: [string, string] = ['renderer/features/x.tsx', 'export const X = () => <button />']
test.each([
  ['/* oxlint-disable */', ...IMPORT],
  ['// oxlint-disable-next-line holdfast/layers', ...IMPORT],
  ['// eslint-disable-next-line', ...IMPORT],
  ['/* oxlint-disable layers -- why */', ...IMPORT],
  ['// oxlint-disable-next-line holdfast/components', ...BUTTON],
  ['/* oxlint-disable */', ...BUTTON],
])('the check cannot be switched off with %s in %s', (comment, file, text) => {
  const { status, output } = checkLayers(plant({ [file]: `${comment}\n${text}\n` }))
  expect(status).toBe(1)
  expect(output).toContain(file)
})
