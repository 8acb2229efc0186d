import { randomBytes } from 'node:crypto'
import type { ContentBlock, ReadResourceResult, Resource } from '@modelcontextprotocol/server'
import { ownText } from '../own-text.ts'

/** What of a session's results was too long for one answer, for the agent to read on. */
export interface KeptResults {
  /** The blocks as far as they are shown at once, and a link to the rest. The same list where nothing is too long. */
  shorten(tool: string, content: readonly ContentBlock[]): readonly ContentBlock[]
  list(): Resource[]
  /** A part of a kept result, and where to read on; null when there is no such thing, or no longer. */
  read(uri: string): ReadResourceResult | null
}

/** Of one result, text is shown up to this many characters: more than models read at once. */
export const MAX_SHOWN_CHARACTERS = 200_000
/** Kept for one session; the oldest go first. */
const MAX_KEPT_CHARACTERS = 32_000_000
const MAX_KEPT = 1_000
const SCHEME = 'holdfast://result/'

const textOf = (block: ContentBlock): string | null =>
  block.type === 'text' ? block.text : block.type === 'resource' && 'text' in block.resource ? block.resource.text : null

/** Never cut in the middle of a character. */
const beginning = (text: string, length: number): string => text.slice(0, /[\ud800-\udbff]/.test(text.charAt(length - 1)) ? length - 1 : length)

export const createKeptResults = (onListed: () => void): KeptResults => {
  const kept = new Map<string, { readonly tool: string; readonly text: string }>()
  let characters = 0

  const keep = (tool: string, text: string): string => {
    const id = randomBytes(9).toString('base64url')
    kept.set(id, { tool, text })
    characters += text.length
    for (const [oldest, { text: gone }] of kept) {
      if ((characters <= MAX_KEPT_CHARACTERS && kept.size <= MAX_KEPT) || oldest === id) break
      kept.delete(oldest)
      characters -= gone.length
    }
    onListed()
    return id
  }
  const resource = (id: string, tool: string, size: number): Resource => ({
    uri: SCHEME + id,
    name: `rest of ${tool}`,
    description: `What is left of a result of ${tool}, ${size} characters. Kept by Holdfast until the session ends.`,
    mimeType: 'text/plain',
  })

  return {
    shorten: (tool, content) => {
      let room = MAX_SHOWN_CHARACTERS
      const rest: string[] = []
      const shown = content.flatMap((block): ContentBlock[] => {
        const text = textOf(block)
        if (text === null) return [block]
        const part = beginning(text, room)
        room -= part.length
        if (part.length === text.length) return [block]
        rest.push(text.slice(part.length))
        if (part === '') return []
        return [block.type === 'resource' ? { ...block, resource: { ...block.resource, text: part } } : { type: 'text', text: part }]
      })
      if (rest.length === 0) return content
      const left = ownText(rest.join('\n'))
      const id = keep(tool, left)
      const note = `[Holdfast: this result is longer than ${MAX_SHOWN_CHARACTERS} characters. The other ${left.length} are in the resource ${SCHEME}${id}]`
      return [...shown, { type: 'text', text: note }, { type: 'resource_link', ...resource(id, tool, left.length) }]
    },
    list: () => [...kept].map(([id, { tool, text }]) => resource(id, tool, text.length)),
    read: (uri) => {
      const [, id = '', from = '0'] = /^holdfast:\/\/result\/([\w-]{12})(?:\?from=(\d{1,9}))?$/.exec(uri) ?? []
      const found = kept.get(id)
      if (found === undefined) return null
      const start = Number(from)
      const text = beginning(found.text.slice(start), MAX_SHOWN_CHARACTERS)
      const next = start + text.length
      const more = next < found.text.length ? `\n[Holdfast: ${found.text.length - next} characters are left, in ${SCHEME}${id}?from=${next}]` : ''
      return { contents: [{ uri, mimeType: 'text/plain', text: text + more }] }
    },
  }
}
