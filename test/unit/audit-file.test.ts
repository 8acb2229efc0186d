import fc from 'fast-check'
import { expect, it } from 'vitest'
import { auditFile } from '../../shared/domain/audit/audit-file.ts'
import type { FileKind } from '../../shared/domain/audit/finding.ts'
import { CLEAN, FAULTY } from '../fixtures/audit-zoo.ts'

const KINDS: readonly FileKind[] = ['claude-settings', 'claude-state', 'mcp', 'vscode-settings', 'vscode-tasks', 'codex', 'gemini', 'opencode', 'zed', 'cursor-cli',
  'shell', 'dotenv', 'instructions', 'command', 'git-credentials', 'git-config', 'gh', 'aws', 'gcloud', 'azure', 'kube', 'npmrc', 'docker', 'netrc', 'pypirc', 'ssh-key']
const look = (kind: FileKind, text: string) => auditFile({ kind, scope: 'user', text, mode: 0o644, home: '/home/me', secrets: [] })

/** A JSON text of the zoo with one of its values replaced by another kind of value. */
const replaced = (text: string, pick: number, by: unknown): string => {
  const values = [...text.matchAll(/"(?:[^"\\]|\\.)*"(?!\s*:)|true|false|\{|\[/g)]
  const chosen = values[pick % Math.max(1, values.length)]
  if (chosen === undefined) return text
  try {
    const object = JSON.parse(text) as unknown
    let seen = 0
    const walk = (value: unknown): unknown => {
      seen += 1
      if (seen - 1 === pick % values.length) return by
      if (Array.isArray(value)) return value.map(walk)
      return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value).map(([key, each]) => [key, walk(each)])) : value
    }
    return JSON.stringify(walk(object), null, 2)
  } catch {
    return text.slice(0, chosen.index) + JSON.stringify(by) + text.slice(chosen.index)
  }
}

it('throws for no text and no shape of settings, and every line it names is there', () => {
  const texts = [...FAULTY, ...CLEAN].map(({ text }) => text)
  const other = fc.oneof(fc.constant(null), fc.constant([null, 1, {}]), fc.constant({ x: null, y: [1] }), fc.constant('x'), fc.constant(7), fc.jsonValue())
  fc.assert(fc.property(fc.constantFrom(...KINDS), fc.oneof(fc.string(), fc.tuple(fc.constantFrom(...texts), fc.nat(), other).map((parts) => replaced(...parts))), (kind, text) => {
    for (const { line, what } of look(kind, text).findings) {
      expect(line === null || (line >= 1 && line <= text.split('\n').length)).toBe(true)
      expect(what.length).toBeLessThan(400)
    }
  }), { numRuns: 2_000 })
})

it.each(['{"a":', '[', '{"__proto__":{"permissions":{"allow":["Bash"]}}}', '[[projects]]', 'users: &a [*a]', '-----BEGIN OPENSSH PRIVATE KEY-----'])('reads %s as every kind', (text) => {
  for (const kind of KINDS) expect(look(kind, text).findings.filter(({ rule }) => rule === 'wide-allow')).toEqual([])
})

it('takes what is inherited by no object for a setting', () => {
  expect(look('mcp', '{"mcpServers":{"constructor":{"command":"node","args":["a.js"]},"toString":{"command":"npx","args":["x-mcp"]}}}').findings).toMatchObject([{ rule: 'unpinned-server', line: 1 }])
})
