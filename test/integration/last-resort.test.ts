import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { killByFile } from '../../shared/core/containers/grip.ts'
import { createLinuxProvider } from '../../shared/core/containers/linux.ts'
import { aliveWith, makeScene } from '../fixtures/containers.ts'

const missing = await createLinuxProvider().unavailable()
const core = fileURLToPath(new URL('../../shared/core/containers', import.meta.url))

test.skipIf(missing !== null).each(['setImmediate(() => { throw new Error("nobody catches this") })', 'Promise.reject(new Error("nobody catches this"))'])(
  'a host that meets a fault nobody catches freezes its containers, says so, and ends with 70: %s',
  async (fault) => {
    const scene = makeScene()
    const marker = `31${process.pid}.${Date.now() % 100_000}`
    const spec = scene.spec(`sleep ${marker} & sleep ${marker}`)
    const script = `
      import { installLastResort } from '${core}/last-resort.ts'
      import { createLinuxProvider } from '${core}/linux.ts'
      installLastResort('${dirname(spec.killFile)}', (line) => console.error(line))
      await createLinuxProvider().launch(${JSON.stringify(spec)})
      ${fault}`
    const host = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'ignore', 'pipe'], env: {} })
    const [said, [code]] = await Promise.all([text(host.stderr), once(host, 'exit')])
    expect(code).toBe(70)
    expect(said).toContain('nobody catches this')
    expect(said).toContain('1 of 1 containers were frozen first')
    expect(existsSync(spec.killFile)).toBe(true)
    expect((await killByFile(spec.killFile)).survivors).toEqual([])
    expect(aliveWith(marker)).toEqual([])
    rmSync(scene.folder, { recursive: true })
  },
)
