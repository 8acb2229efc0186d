import { execFileSync, spawn } from 'node:child_process'
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { killByFile } from '../../shared/core/containers/grip.ts'
import { aliveWith, makeScene, newSessionId, printed, PROVIDERS } from '../fixtures/containers.ts'

/** How a child is started: what makes it hard to find. */
const LAUNCH = {
  child: (script: string) => `/bin/sh ${script} &`,
  session: (script: string) => `/usr/bin/setsid /bin/sh ${script} &`,
  daemon: (script: string) => `( /usr/bin/setsid /bin/sh ${script} & ) &`,
  nameless: (script: string) => `( /usr/bin/env -i /usr/bin/setsid /bin/sh ${script} & ) &`,
  nohup: (script: string) => `/usr/bin/nohup /bin/sh ${script} </dev/null &`,
  namespace: (script: string) =>
    `( /usr/bin/unshare --user --pid --fork /bin/sh ${script} 2>/dev/null || /bin/sh ${script} ) &`,
} as const

/** What it then does: what makes it hard to end. */
const BEHAVE = {
  sleep: (marker: string) => `exec sleep 100000.${marker}`,
  deaf: (marker: string) => `trap '' TERM INT HUP QUIT; exec sleep 100000.${marker}`,
  stopped: (marker: string) => `kill -STOP $$; exec sleep 100000.${marker}`,
  blocked: () => 'exec cat blocked',
  writer: () => `while :; do echo more >> written; done`,
  forker: () => `while :; do sleep 0.001 & sleep 0.002; done`,
} as const

interface Planned {
  readonly launch: keyof typeof LAUNCH
  readonly behave: keyof typeof BEHAVE
  /** Which of the earlier processes starts it, as a share of them. */
  readonly parent: number
}

const keysOf = <Key extends string>(table: Readonly<Record<Key, unknown>>): Key[] => Object.keys(table) as Key[]

/** Sleepers cost nothing: mostly them, so that the trees can be large on a small machine. */
const planned = fc.record<Planned>({
  launch: fc.constantFrom(...keysOf(LAUNCH)),
  behave: fc.oneof(
    { weight: 30, arbitrary: fc.constantFrom<Planned['behave'][]>('sleep', 'deaf', 'stopped', 'blocked') },
    { weight: 1, arbitrary: fc.constantFrom<Planned['behave'][]>('writer', 'forker') },
  ),
  parent: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
})
const trees = fc.array(planned, { minLength: 1, maxLength: 300, size: 'max' })

/** Writes one script per process; returns the lines that start the first ones. */
const plant = (folder: string, marker: string, plan: readonly Planned[]): string => {
  const script = (index: number): string => path.join(folder, `${marker}-${index}.sh`)
  const parentOf = ({ parent }: Planned, index: number): number => Math.floor(parent * (index + 1)) - 1
  const starts = (parent: number): string =>
    plan
      .flatMap((one, index) => (parentOf(one, index) === parent ? [LAUNCH[one.launch](script(index))] : []))
      .join('\n')
  plan.forEach((one, index) => {
    writeFileSync(script(index), `${starts(index)}\necho up\n${BEHAVE[one.behave](marker)}\n`)
  })
  return starts(-1)
}

describe.each(PROVIDERS)('$name container', ({ provider, missing }) => {
  test.skipIf(missing !== null)(
    'is empty after every kill of a random process tree, and nothing outside it is touched',
    async () => {
      const scene = makeScene()
      // A pipe that nobody writes to: who reads it waits in the kernel.
      execFileSync('mkfifo', [path.join(scene.project, 'blocked')])
      const outside = newSessionId()
      const bystander = spawn('sleep', [`100000.${Date.now()}`], { stdio: 'ignore' })
      const neighbour = await provider.launch(scene.spec(`echo up; exec sleep 100000 # ${outside}`))
      await printed(neighbour, 'up')
      try {
        await fc.assert(
          fc.asyncProperty(
            trees,
            fc.constantFrom('host', 'file', 'both', 'twice'),
            async (plan, by) => {
              const marker = String(Math.trunc(performance.now() * 1000))
              const spec = scene.spec(`${plant(scene.project, marker, plan)}\necho up\nexec sleep 100000.${marker}`)
              const container = await provider.launch(spec)
              await printed(container, 'up', plan.length + 1)
              expect((await container.processes()).length).toBeGreaterThan(plan.length)

              const proofs = await Promise.all([
                ...(by === 'file' ? [] : [container.kill()]),
                ...(by === 'twice' ? [container.kill()] : []),
                ...(by === 'file' || by === 'both' ? [killByFile(spec.killFile)] : []),
              ])

              expect(aliveWith(marker)).toEqual([])
              for (const proof of proofs) expect(proof.survivors).toEqual([])
              expect(Math.max(...proofs.map((proof) => proof.killed))).toBeGreaterThan(0)
              await container.exited
              expect((await container.kill()).survivors).toEqual([])
              expect(existsSync(spec.killFile)).toBe(false)
              expect(bystander.exitCode ?? bystander.signalCode).toBe(null)
              expect(await neighbour.contains(neighbour.pid)).toBe(true)
            },
          ),
          { numRuns: 4 },
        )
      } finally {
        bystander.kill('SIGKILL')
        await neighbour.kill()
        rmSync(scene.folder, { recursive: true, force: true })
      }
    },
  )
})
