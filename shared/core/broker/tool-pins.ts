import { createHash } from 'node:crypto'
import type { Tool } from '@modelcontextprotocol/server'
import { z } from 'zod'
import { HoldfastError } from '../../contract/errors.ts'
import type { SessionId } from '../../contract/ids.ts'
import type { McpServerConfig } from '../../contract/schemas/mcp-config.ts'
import { HeldTool, PinnedPackage, PinnedServer, type ServerTool } from '../../contract/schemas/server.ts'
import { canonicalJson } from '../../domain/ledger-chain.ts'
import { createImitationCheck, type OtherServer, reviewTool } from '../../domain/tool-review.ts'
import { asFileFault } from '../file-fault.ts'
import { readIfThere, writeWhole } from '../whole-file.ts'
import type { Clock, Ledger } from '../ports.ts'

/** A server, by its name and what is run under that name. */
export interface ServerIdentity {
  readonly key: string
  readonly name: string
  readonly launch: string
}

export interface ToolPins {
  /**
   * The tools that may be used: those with the definition accepted before, and at a server's first use those that
   * nothing speaks against. The others are held, recorded and told about. Throws HoldfastError `disk-full`, `read-only`,
   * `ledger-unavailable`: then none may be used.
   */
  admit(params: { sessionId: SessionId; server: ServerIdentity; tools: readonly Tool[]; others: readonly OtherServer[] }): readonly Tool[]
  /** The package a server was first run from; null when it is not known yet. */
  packageOf(server: ServerIdentity): PinnedPackage | null
  pinPackage(sessionId: SessionId, server: ServerIdentity, found: PinnedPackage): void
  list(): PinnedServer[]
  /** What a server's held tools were and are. Throws HoldfastError `not-found`. */
  held(key: string): HeldTool[]
  /** From now on these very definitions may be used. Throws HoldfastError `not-found` when one is not, or no longer, held. */
  accept(key: string, tools: readonly { readonly tool: string; readonly hash: string }[]): void
  /** The tools that were accepted, by name, and whether agents may use them. Throws HoldfastError `not-found`. */
  tools(key: string): ServerTool[]
  /** Takes an accepted tool from every agent, or gives it back. Throws HoldfastError `not-found`. */
  switchTool(key: string, tool: string, allowed: boolean): void
  /** Calls back after every acceptance and switch, until the returned function is called. */
  onAccepted(listener: () => void): () => void
}

export interface ToolPinsDeps {
  /** Where the pins are kept. */
  readonly file: string
  readonly clock: Clock
  readonly ledger: Ledger
  readonly raiseAlarm: (sessionId: SessionId, message: string) => void
}

/** Longest definition that is kept and shown, as JSON; a longer one is held without its text. */
export const MAX_DEFINITION_CHARACTERS = 65_536

const Pin = z.object({ hash: z.string(), definition: z.string() })
const ServerPins = PinnedServer.omit({ package: true, tools: true, held: true }).extend({
  tools: z.record(z.string(), Pin),
  held: z.record(z.string(), HeldTool),
  /** Accepted, and switched off by hand. */
  blocked: z.array(z.string()).optional(),
})
type ServerPins = z.infer<typeof ServerPins>
const PinsFile = z.object({ version: z.literal(1), servers: z.record(z.string(), ServerPins), packages: z.record(z.string(), PinnedPackage) })

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

/** The identity of a server as configured. Its environment is not part of it: a rotated secret is no other server. */
export const serverIdentity = (name: string, config: McpServerConfig): ServerIdentity => {
  const launch = config.type === 'stdio' ? [config.command, ...config.args].join(' ') : config.url
  const whole = config.type === 'stdio' ? canonicalJson([config.command, ...config.args]) : canonicalJson({ url: config.url })
  return { key: `${name}@${sha256(whole).slice(0, 12)}`, name, launch: launch.slice(0, 4_096) }
}

/** SHA-256 of a definition as its server gives it. */
export const definitionHash = (tool: Tool): string => sha256(canonicalJson(tool))

/** What a definition says of itself, in one line. */
const descriptionOf = (definition: string): string => {
  const { description } = JSON.parse(definition) as { description?: unknown }
  return typeof description === 'string' ? description.replaceAll(/\s+/g, ' ').slice(0, 500) : ''
}

/**
 * Keeps, for each server, which definitions of its tools were accepted. A file that cannot be read is an error and not
 * an empty list: else whoever can damage it could have everything accepted again.
 */
export const createToolPins = ({ file, clock, ledger, raiseAlarm }: ToolPinsDeps): ToolPins => {
  const listeners = new Set<() => void>()
  let kept: { readonly servers: Map<string, ServerPins>; readonly packages: Map<string, PinnedPackage> } | undefined

  const loadAll = (): NonNullable<typeof kept> => {
    if (kept !== undefined) return kept
    const text = readIfThere(file)
    let parsed
    try {
      parsed = text === null ? { servers: {}, packages: {} } : PinsFile.parse(JSON.parse(text))
    } catch {
      throw new HoldfastError('illegal-state', `${file} is damaged, so that no MCP tool can be checked. Remove it to have every tool taken as new.`, { at: { file } })
    }
    return (kept = { servers: new Map(Object.entries(parsed.servers)), packages: new Map(Object.entries(parsed.packages)) })
  }
  const load = (): Map<string, ServerPins> => loadAll().servers
  const save = (): void => {
    try {
      writeWhole(file, `${JSON.stringify({ version: 1, servers: Object.fromEntries(load()), packages: Object.fromEntries(loadAll().packages) })}\n`)
    } catch (error) {
      kept = undefined
      throw asFileFault(file, error)
    }
  }
  const find = (key: string): ServerPins => {
    const pins = load().get(key)
    if (pins === undefined) throw new HoldfastError('not-found', `No MCP server ${key} was used here. "holdfast servers" lists those that were.`)
    return pins
  }

  /** Servers that were used before, and are neither this one nor among the others of its session. */
  const elsewhere = (name: string, others: readonly OtherServer[]): OtherServer[] =>
    [...load().values()]
      .filter((pins) => pins.name !== name && !others.some((other) => other.name === pins.name))
      .map((pins) => ({ name: pins.name, tools: Object.keys(pins.tools) }))

  const review = (pins: ServerPins, tool: Tool, isFirstUse: boolean, others: readonly OtherServer[], imitation: () => ReturnType<typeof createImitationCheck>): HeldTool | null => {
    const hash = definitionHash(tool)
    const before = Object.hasOwn(pins.tools, tool.name) ? pins.tools[tool.name] : undefined
    if (before?.hash === hash) return null
    const known = before !== undefined ? 'changed' : isFirstUse ? 'first use' : 'new tool'
    const reasons = reviewTool(tool, known, others, imitation())
    const after = canonicalJson(tool)
    if (after.length > MAX_DEFINITION_CHARACTERS) reasons.push('its definition is too long to be shown')
    if (reasons.length === 0) {
      pins.tools[tool.name] = { hash, definition: after }
      return null
    }
    return { tool: tool.name, hash, reasons, before: before?.definition ?? null, after: after.slice(0, MAX_DEFINITION_CHARACTERS), heldAt: clock.now() }
  }

  return {
    admit: ({ sessionId, server, tools, others }) => {
      const known = load().get(server.key)
      const pins: ServerPins = structuredClone(known ?? { ...server, pinnedAt: clock.now(), tools: {}, held: {} })
      const admitted: Tool[] = []
      const newlyHeld: HeldTool[] = []
      // Names of servers that this session does not have count too: rules and people know them from others.
      let check: ReturnType<typeof createImitationCheck> | undefined
      const imitation = () => (check ??= createImitationCheck([...others, ...elsewhere(server.name, others)]))
      for (const tool of tools) {
        const held = review(pins, tool, known === undefined, others, imitation)
        if (held === null) {
          if (pins.blocked?.includes(tool.name) !== true) admitted.push(tool)
          delete pins.held[tool.name]
        } else if (pins.held[tool.name]?.hash !== held.hash) {
          newlyHeld.push(held)
          pins.held[tool.name] = held
        }
      }
      if (known !== undefined && canonicalJson(known) === canonicalJson(pins)) return admitted
      const hashes = Object.entries(pins.tools).map(([tool, { hash }]) => ({ tool, hash }))
      if (known === undefined) ledger.append('server/pinned', sessionId, { server: server.name, launch: server.launch, tools: hashes })
      if (newlyHeld.length > 0) {
        const held = newlyHeld.map(({ tool, hash, reasons }) => ({ tool, hash, reasons }))
        ledger.append('server/held', sessionId, { server: server.name, launch: server.launch, tools: held })
      }
      load().set(server.key, pins)
      save()
      if (newlyHeld.length > 0) {
        const [first] = newlyHeld
        const rest = newlyHeld.length === 1 ? '' : `, and ${newlyHeld.length - 1} more of it`
        raiseAlarm(
          sessionId,
          `The tool ${first?.tool} of the MCP server ${server.name} is stopped${rest}: ${first?.reasons.join('; ')}. Look at it with: holdfast servers review ${server.name}`,
        )
      }
      return admitted
    },
    packageOf: ({ key }) => loadAll().packages.get(key) ?? null,
    pinPackage: (sessionId, { key, name, launch }, found) => {
      ledger.append('server/pinned', sessionId, { server: name, launch, package: found })
      loadAll().packages.set(key, found)
      save()
    },
    list: () =>
      [...load().values()].map(({ tools, held, blocked: _blocked, ...server }) => ({
        ...server,
        package: loadAll().packages.get(server.key) ?? null,
        tools: Object.keys(tools).length,
        held: Object.values(held).map(({ before: _before, after: _after, ...one }) => one),
      })),
    held: (key) => Object.values(find(key).held),
    accept: (key, accepted) => {
      const pins = structuredClone(find(key))
      for (const { tool, hash } of accepted) {
        const held = Object.hasOwn(pins.held, tool) ? pins.held[tool] : undefined
        if (held?.hash !== hash) throw new HoldfastError('not-found', `The tool ${tool} is not held with the definition that you saw. Look at it again.`)
        if (held.after.length >= MAX_DEFINITION_CHARACTERS) throw new HoldfastError('illegal-state', `The definition of ${tool} is too long to be shown, so that it cannot be accepted.`)
        pins.tools[tool] = { hash, definition: held.after }
        delete pins.held[tool]
      }
      ledger.append('server/accepted', null, { server: pins.name, launch: pins.launch, tools: accepted.map(({ tool, hash }) => ({ tool, hash })) })
      load().set(key, pins)
      save()
      for (const listener of listeners) listener()
    },
    tools: (key) => {
      const { tools, blocked } = find(key)
      return Object.entries(tools).map(([tool, { definition }]) => ({ tool, description: descriptionOf(definition), allowed: blocked?.includes(tool) !== true }))
    },
    switchTool: (key, tool, allowed) => {
      const pins = structuredClone(find(key))
      if (!Object.hasOwn(pins.tools, tool)) throw new HoldfastError('not-found', `The server ${pins.name} has no tool ${tool} that was accepted.`)
      const others = (pins.blocked ?? []).filter((one) => one !== tool)
      pins.blocked = allowed ? others : [...others, tool]
      ledger.append('server/switched', null, { server: pins.name, launch: pins.launch, tool, allowed })
      load().set(key, pins)
      save()
      for (const listener of listeners) listener()
    },
    onAccepted: (listener) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}
