import { type Node, parseTree } from 'jsonc-parser'
import { freeName, itemName } from './item-name.ts'
import { isPlainSecret, isSecretReference } from '../secret-names.ts'

export interface MovedSecret {
  readonly server: string
  readonly variable: string
  /** The keychain item that takes it. */
  readonly name: string
  readonly value: string
}

const SCHEME = /^Bearer +/i

const membersOf = (node: Node | undefined): { key: Node; value: Node }[] =>
  node?.type !== 'object' ? [] : (node.children ?? []).flatMap(({ children: [key, value] = [] }) => (key === undefined || value === undefined ? [] : [{ key, value }]))

const valueAt = (node: Node | undefined, name: string): Node | undefined => membersOf(node).findLast(({ key }) => key.value === name)?.value

/**
 * The credentials that stand in plain text in the `env` and `headers` of a `.mcp.json`, and the file's text with
 * references to keychain items instead; all else of it stays byte for byte. `taken` are the names of items that are kept.
 */
export const moveSecrets = (text: string, taken: readonly string[]): { readonly text: string; readonly moved: readonly MovedSecret[] } => {
  const names = new Set(taken)
  const found: (MovedSecret & { readonly key: Node; readonly node: Node })[] = []
  for (const { key: server, value: fields } of membersOf(valueAt(parseTree(text, [], { allowTrailingComma: true }), 'mcpServers'))) {
    for (const { key, value: node } of [...membersOf(valueAt(fields, 'env')), ...membersOf(valueAt(fields, 'headers'))]) {
      const [variable, whole] = [String(key.value), node.value as unknown]
      if (typeof whole !== 'string' || isSecretReference(variable, whole)) continue
      const value = whole.replace(SCHEME, '')
      if (!isPlainSecret(variable, value)) continue
      const name = freeName(itemName(String(server.value), variable), names)
      names.add(name)
      found.push({ server: String(server.value), variable, name, value, key, node })
    }
  }
  let changed = text
  for (const { variable, name, key, node } of found.toReversed()) {
    changed = changed.slice(0, node.offset) + JSON.stringify(name) + changed.slice(node.offset + node.length)
    changed = changed.slice(0, key.offset) + JSON.stringify(`${variable}_SECRET`) + changed.slice(key.offset + key.length)
  }
  return { text: changed, moved: found.map(({ server, variable, name, value }) => ({ server, variable, name, value })) }
}
