import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { findFolders, listFolders } from '../../shared/core/folders.ts'

let top = ''
const make = (...paths: string[]): void => {
  for (const path of paths) mkdirSync(join(top, path), { recursive: true })
}
beforeEach(() => {
  top = realpathSync(mkdtempSync(join(tmpdir(), 'hf-')))
})
afterEach(() => rmSync(top, { recursive: true }))

test('a folder is listed with the folders in it, by name, without hidden ones and files', async () => {
  make('web/.git', 'api', '.config')
  writeFileSync(join(top, 'notes.txt'), '')
  expect(await listFolders(top)).toEqual({ path: top, parent: join(top, '..'), folders: [{ name: 'api', hasGit: false }, { name: 'web', hasGit: true }], more: false })
  expect((await listFolders('/')).parent).toBeNull()
  await expect(listFolders(join(top, 'none'))).rejects.toMatchObject({ code: 'not-a-directory' })
})

test('a dropped folder is found by its name and what it holds, the nearest first, and never behind a link or in what is passed over', async () => {
  make('a/deep/web/src', 'web/src', 'other/web/lib', 'node_modules/web/src', '.cache/web/src')
  symlinkSync(join(top, 'a'), join(top, 'link'))
  expect(await findFolders(top, 'web', ['src'])).toEqual([join(top, 'web'), join(top, 'a/deep/web')])
  expect(await findFolders(top, 'web', ['src', 'lib'])).toEqual([])
})
