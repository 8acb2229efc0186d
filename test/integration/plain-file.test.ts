import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { afterAll, expect, test } from 'vitest'
import { createProjectReader } from '../../shared/core/policy/read-project-file.ts'
import { readPlainFile } from '../../shared/core/plain-file.ts'

const folder = mkdtempSync(join(tmpdir(), 'holdfast-plain-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('what is no plain file, or too long, has no text', () => {
  const file = join(folder, 'file')
  writeFileSync(file, 'text')
  symlinkSync(file, join(folder, 'link'))
  expect([file, join(folder, 'link'), folder, join(folder, 'none')].map((one) => readPlainFile(one, 4))).toEqual(['text', null, null, null])
  expect(readPlainFile(file, 3)).toBeNull()
})

test('of a project a file is told from none, and from what is, or would be, elsewhere', () => {
  const project = join(folder, 'project')
  mkdirSync(join(project, 'sub'), { recursive: true })
  writeFileSync(join(folder, 'outside'), 'text')
  writeFileSync(join(project, 'sub/file'), 'text')
  symlinkSync(join(folder, 'outside'), join(project, 'out'))
  symlinkSync(join(folder, 'later'), join(project, 'dangling'))
  symlinkSync('sub', join(project, 'in'))
  const read = createProjectReader(project)
  expect(['sub/file', 'in/file'].map((path) => read(join(project, path)))).toEqual(['text', 'text'])
  expect(['none', 'none/file', 'in/none'].map((path) => read(join(project, path)))).toEqual([undefined, undefined, undefined])
  expect(['sub', 'out', 'dangling', 'dangling/file', 'sub/file/x', '../outside', '../none'].map((path) => read(join(project, path)))).toEqual([null, null, null, null, null, null, null])
})

test('a file that is being written has the text it had at one moment or another: git writes its own in two steps', async () => {
  const file = join(folder, 'commondir')
  const write = `
    const { writeFileSync } = require('node:fs')
    const { workerData: { file, isOver }, parentPort } = require('node:worker_threads')
    writeFileSync(file, '../..')
    parentPort.postMessage('begun')
    while (Atomics.load(isOver, 0) === 0) writeFileSync(file, '../..')`
  const isOver = new Int32Array(new SharedArrayBuffer(4))
  const writer = new Worker(write, { eval: true, workerData: { file, isOver } })
  await new Promise((resolve) => writer.once('message', resolve))
  const seen = new Set<string | null>()
  for (let times = 0; times < 20_000; times += 1) seen.add(readPlainFile(file, 100))
  Atomics.store(isOver, 0, 1)
  await new Promise((resolve) => writer.once('exit', resolve))
  expect([...seen].filter((text) => text !== '' && text !== '../..')).toEqual([])
})
