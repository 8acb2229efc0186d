import { chmodSync, chownSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { doubtsAbout, findGit, requireTrusted } from '../../shared/core/program-trust.ts'

const isRoot = process.getuid?.() === 0

describe.skipIf(process.platform === 'win32')('who can change a program', () => {
  let folder = ''
  let file = ''
  beforeEach(() => {
    folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'holdfast-trust-')))
    mkdirSync(path.join(folder, 'a/bin'), { recursive: true, mode: 0o755 })
    file = path.join(folder, 'a/bin/claude')
    writeFileSync(file, '#!/bin/sh\n', { mode: 0o755 })
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  test('nobody else, though it lies below /tmp, where all may write', async () => expect(await requireTrusted(file)).toEqual([]))

  test.each(['a/bin/claude', 'a/bin', 'a'])('every user, by %s: it is refused, with what to do', async (name) => {
    chmodSync(path.join(folder, name), 0o777)
    await expect(requireTrusted(file)).rejects.toMatchObject({ code: 'agent-refused', message: expect.stringContaining(`chmod o-w ${path.join(folder, name)}`) as string })
  })

  test('every user, by the place that a link leads to', async () => {
    const link = path.join(folder, 'claude')
    symlinkSync(file, link)
    chmodSync(path.join(folder, 'a/bin'), 0o777)
    expect(await doubtsAbout(link)).toEqual([{ at: path.join(folder, 'a/bin'), who: null }])
  })

  test.skipIf(!isRoot)('members of a group with others in it, and another owner: it is told, by name', async () => {
    chownSync(path.join(folder, 'a'), 0, 65_533)
    chmodSync(path.join(folder, 'a'), 0o775)
    expect(await requireTrusted(file)).toEqual([])
    chownSync(path.join(folder, 'a'), 0, 65_534)
    expect(await requireTrusted(file)).toEqual([`${file} is run as you, and members of the group nogroup can change it (by ${path.join(folder, 'a')}).`])
    chownSync(file, 12_345, 0)
    expect((await requireTrusted(file))[0]).toBe(`${file} is run as you, and the user with the id 12345 can change it (by ${file}).`)
  })
})

test('git is taken from the system, never from a package or a relative place', () => {
  const found = findGit('/nonexistent')
  expect(found === null || /^\/(usr\/|run\/)?.*bin\/git$/.test(found)).toBe(true)
  expect(findGit('.:bin:/p/node_modules/.bin')).toBe(found)
})
