import { describe, expect, it } from 'vitest'
import { createAcceptTools, createAllowTool } from '../../shared/core/proposals/tool-changes.ts'

type Pins = Parameters<typeof createAcceptTools>[0]

const HASH = 'a'.repeat(64)

const createPins = (): { pins: Pins; done: unknown[] } => {
  const done: unknown[] = []
  const pins: Pins = {
    list: () => [{ key: 'github@0', name: 'github', launch: 'npx x', pinnedAt: 0, package: null, tools: 1, held: [] }],
    held: () => [{ tool: 'create_pr', hash: HASH, reasons: ['its definition has changed'], before: '{"a":1}', after: '{"a":2}', heldAt: 0 }],
    tools: () => [
      { tool: 'read', description: 'Reads.', allowed: true },
      { tool: 'merge', description: 'Merges.', allowed: false },
    ],
    accept: (...given) => void done.push(['accept', ...given]),
    switchTool: (...given) => void done.push(['switch', ...given]),
  }
  return { pins, done }
}

describe('a stopped tool that is to be accepted', () => {
  it('is shown with both definitions and why it was stopped, and accepted with the one that was shown', async () => {
    const { pins, done } = createPins()
    const kind = createAcceptTools(pins)
    const change = { kind: 'accept-tools', key: 'github@0', tools: [{ tool: 'create_pr', hash: HASH }] } as const
    const shown = await kind.describe({ ...change, tools: [...change.tools] })
    expect(shown).toEqual({
      subject: 'github@0',
      title: 'Let agents use a tool of github as given now',
      texts: [{ name: 'create_pr', before: '{\n  "a": 1\n}\n', after: '{\n  "a": 2\n}\n' }],
      wider: ['create_pr: its definition has changed'],
      narrower: [],
    })
    await kind.apply({ ...change, tools: [...change.tools] }, 'approver', shown)
    expect(done).toEqual([['accept', 'github@0', [{ tool: 'create_pr', hash: HASH }]]])
  })

  it('is none when it is stopped with another definition by now', () => {
    const change = { kind: 'accept-tools', key: 'github@0', tools: [{ tool: 'create_pr', hash: 'b'.repeat(64) }] } as const
    expect(() => createAcceptTools(createPins().pins).describe({ ...change, tools: [...change.tools] })).toThrow('not stopped as you saw it')
  })
})

describe('a tool that was switched off', () => {
  it('is given back, and one that was not cannot be', async () => {
    const { pins, done } = createPins()
    const kind = createAllowTool(pins)
    const shown = await kind.describe({ kind: 'allow-tool', key: 'github@0', tool: 'merge' })
    expect(shown).toMatchObject({ title: 'Give agents back the tool merge of github', wider: ['merge: Merges.'] })
    expect(() => kind.describe({ kind: 'allow-tool', key: 'github@0', tool: 'read' })).toThrow('not switched off')
    await kind.apply({ kind: 'allow-tool', key: 'github@0', tool: 'merge' }, 'approver', shown)
    expect(done).toEqual([['switch', 'github@0', 'merge', true]])
  })
})
