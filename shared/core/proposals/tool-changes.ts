import { HoldfastError } from '../../contract/errors.ts'
import type { ToolPins } from '../broker/tool-pins.ts'
import type { ChangeKind } from './proposals.ts'

type Pins = Pick<ToolPins, 'list' | 'held' | 'accept' | 'tools' | 'switchTool'>

/** A definition as a person reads it: what cannot be parsed is shown as it is. */
const pretty = (json: string): string => {
  try {
    return `${JSON.stringify(JSON.parse(json), null, 2)}\n`
  } catch {
    return json
  }
}

const nameOf = (pins: Pins, key: string): string => pins.list().find((server) => server.key === key)?.name ?? key

/** Tools that were stopped, accepted with the definitions that were read. */
export const createAcceptTools = (pins: Pins): ChangeKind<'accept-tools'> => ({
  describe: ({ key, tools }) => {
    const held = pins.held(key)
    const texts = tools.map(({ tool, hash }) => {
      const one = held.find((candidate) => candidate.tool === tool && candidate.hash === hash)
      if (one === undefined) throw new HoldfastError('not-found', `The tool ${tool} is not stopped as you saw it. Look at it again.`)
      return { name: tool, before: one.before === null ? null : pretty(one.before), after: pretty(one.after), reasons: one.reasons }
    })
    return {
      subject: key,
      title: `Let agents use ${tools.length === 1 ? 'a tool' : `${tools.length} tools`} of ${nameOf(pins, key)} as given now`,
      texts: texts.map(({ reasons: _, ...text }) => text),
      wider: texts.flatMap(({ name, reasons }) => reasons.map((reason) => `${name}: ${reason}`)),
      narrower: [],
    }
  },
  apply: ({ key, tools }) => pins.accept(key, tools),
})

/** A tool that was switched off, given back. */
export const createAllowTool = (pins: Pins): ChangeKind<'allow-tool'> => ({
  describe: ({ key, tool }) => {
    const found = pins.tools(key).find((one) => one.tool === tool)
    if (found === undefined || found.allowed) throw new HoldfastError('illegal-state', `The tool ${tool} is not switched off.`)
    return {
      subject: `${key} ${tool}`,
      title: `Give agents back the tool ${tool} of ${nameOf(pins, key)}`,
      texts: [],
      wider: [`${tool}: ${found.description === '' ? 'it says nothing of itself' : found.description}`],
      narrower: [],
    }
  },
  apply: ({ key, tool }) => pins.switchTool(key, tool, true),
})
