import { expect, test } from 'vitest'
import { McpConfig } from '../../shared/contract/schemas/mcp-config.ts'
import { moveSecrets } from '../../shared/domain/audit/move-secrets.ts'

const TOKEN = `ghp_${'a'.repeat(36)}`
const FILE = `{
  // what I use
  "mcpServers": {
    "git hub": { "command": "npx", "args": ["-y", "x"], "env": { "GITHUB_TOKEN": "${TOKEN}", "ALLOWED_REPOS": "acme/web" } },
    "db": { "command": "db", "env": { "DB_PASSWORD": "correct horse", "DB_HOST": "db.example", "KEY_SECRET": "agent/kept", }, },
    "remote": { "url": "https://mcp.example", "headers": { "Authorization": "Bearer abcdef123456" } },
    "refers": { "command": "x", "env": { "API_KEY": "\${API_KEY}" } }
  }
}
`

test('credentials in plain text become references to keychain items, and nothing else changes', () => {
  const { text, moved } = moveSecrets(FILE, ['agent/db-db-password'])
  expect(moved).toEqual([
    { server: 'git hub', variable: 'GITHUB_TOKEN', name: 'agent/git-hub-github-token', value: TOKEN },
    { server: 'db', variable: 'DB_PASSWORD', name: 'agent/db-db-password-2', value: 'correct horse' },
    { server: 'remote', variable: 'Authorization', name: 'agent/remote-authorization', value: 'abcdef123456' },
  ])
  expect(text).toBe(
    FILE.replace(`"GITHUB_TOKEN": "${TOKEN}"`, '"GITHUB_TOKEN_SECRET": "agent/git-hub-github-token"')
      .replace('"DB_PASSWORD": "correct horse"', '"DB_PASSWORD_SECRET": "agent/db-db-password-2"')
      .replace('"Authorization": "Bearer abcdef123456"', '"Authorization_SECRET": "agent/remote-authorization"'),
  )
  expect(moveSecrets(text, []).moved).toEqual([])
})

test('what comes out is a config that Holdfast reads, with what it names kept under valid names', () => {
  const plain = JSON.stringify({ mcpServers: { ['S'.repeat(60)]: { command: 'x', env: { ['LONG_'.repeat(10) + 'TOKEN']: 'a-secret-value' } } } })
  const { text, moved } = moveSecrets(plain, [])
  expect(McpConfig.safeParse(JSON.parse(text)).success).toBe(true)
  expect(moved[0]?.name).toMatch(/^agent\/[a-z0-9-]{1,56}$/)
})

test.each(['', 'not json', '[]', '{"mcpServers":[]}', '{"mcpServers":{"a":null}}', '{"mcpServers":{"a":{"env":["TOKEN"]}}}'])('%j is left as it is', (text) => {
  expect(moveSecrets(text, [])).toEqual({ text, moved: [] })
})
