import { rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { CheckpointId } from '../../shared/contract/ids.ts'
import { createProject, SESSION } from './checkpoint-fixture.ts'

let project: ReturnType<typeof createProject>
let from: CheckpointId
beforeEach(async () => {
  project = createProject()
  project.write('.env', 'KEY=1\n')
  project.write('bild.png', Buffer.from([0x89, 0x50, 0, 1]))
  from = (await project.store.create({ sessionId: SESSION, root: project.root, reason: 'start' })).id
})
afterEach(() => project.scratch.remove())

const sides = (path: string, to: CheckpointId | null = null) => project.store.file({ sessionId: SESSION, from, to, path })

test('a changed file is shown as it was and as it is, an added and a deleted one on the side where they are', async () => {
  project.write('tracked.txt', 'changed\n')
  project.write('neu/ä b.txt', 'new\n')
  rmSync(project.file('src'), { recursive: true })
  expect(await sides('tracked.txt')).toEqual({ before: { text: 'tracked\n' }, after: { text: 'changed\n' } })
  expect(await sides('neu/ä b.txt')).toEqual({ before: null, after: { text: 'new\n' } })
  expect(await sides('src/deep/code.ts')).toEqual({ before: { text: 'code\n' }, after: null })
  const { id: to } = await project.store.create({ sessionId: SESSION, root: project.root, reason: 'on-demand' })
  project.write('tracked.txt', 'changed again\n')
  expect(await sides('tracked.txt', to)).toEqual({ before: { text: 'tracked\n' }, after: { text: 'changed\n' } })
})

test('bytes that are no text, what is too long, and links are named and not shown', async () => {
  project.write('bild.png', Buffer.from([0x89, 0x50, 0, 2]))
  project.write('tracked.txt', 'x'.repeat(600_000))
  expect(await sides('bild.png')).toEqual({ before: { hidden: 'binary' }, after: { hidden: 'binary' } })
  expect((await sides('tracked.txt')).after).toEqual({ hidden: 'too long' })
})

test('what did not change is not shown, and neither is what a link of the agent’s leads to', async () => {
  await expect(sides('.env')).rejects.toThrow('.env has not changed')
  const outside = join(project.scratch.folder, 'outside')
  writeFileSync(outside, 'secret\n')
  unlinkSync(project.file('tracked.txt'))
  symlinkSync(outside, project.file('tracked.txt'))
  expect((await sides('tracked.txt')).after).toEqual({ hidden: 'a link' })
  symlinkSync(project.scratch.folder, project.file('way'))
  expect(await sides('way/outside')).toEqual({ before: null, after: null })
  await expect(sides('../outside')).rejects.toThrow('does not lie in')
})
