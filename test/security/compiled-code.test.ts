import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ownCompiledFolder } from '../../shared/core/base-folders.ts'
import { CLI_FILE } from '../support/world.ts'

let home = ''
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'holdfast-compiled-'))
  mkdirSync(join(home, 'data'), { mode: 0o700 })
  mkdirSync(join(home, 'data/compiled'))
})
afterEach(() => rmSync(home, { recursive: true, force: true }))
const found = (): string | null => ownCompiledFolder({ HOLDFAST_HOME: home })
const compiled = (): string => join(home, 'data/compiled')

describe('compiled code is taken from where this user alone can write', () => {
  test('and from nowhere else: not through a link, and not where others may write, or had it first', () => {
    expect(found()).toBe(compiled())
    chmodSync(compiled(), 0o775)
    expect(found()).toBeNull()
    chmodSync(compiled(), 0o755)
    chmodSync(join(home, 'data'), 0o755)
    expect(found()).toBeNull()
    chmodSync(join(home, 'data'), 0o700)
    renameSync(compiled(), join(home, 'elsewhere'))
    expect(found()).toBeNull()
    symlinkSync(join(home, 'elsewhere'), compiled())
    expect(found()).toBeNull()
    expect([ownCompiledFolder({ HOLDFAST_HOME: 'relative' }), ownCompiledFolder({ HOLDFAST_HOME: join(home, 'none') })]).toEqual([null, null])
  })

  test.skipIf(process.getuid?.() !== 0)('not from one that belongs to another user', () => {
    chownSync(compiled(), 65534, 65534)
    expect(found()).toBeNull()
    chownSync(compiled(), 0, 0)
    chownSync(join(home, 'data'), 65534, 65534)
    expect(found()).toBeNull()
  })

  test('the command line keeps its code there once a host has made the folder, and makes none itself', () => {
    const version = (): string => spawnSync(process.execPath, [CLI_FILE, '--version'], { env: { HOLDFAST_HOME: home }, encoding: 'utf8' }).stdout.trim()
    rmSync(compiled(), { recursive: true })
    expect([version(), readdirSync(join(home, 'data'))]).toEqual(['0.1.0', []])
    mkdirSync(compiled())
    expect(version()).toBe('0.1.0')
    expect(readdirSync(compiled(), { recursive: true, encoding: 'utf8' }).length).toBeGreaterThan(1)
    expect(version()).toBe('0.1.0')
  })
})
