import { describe, expect, test } from 'vitest'
import { HoldfastError } from '../../shared/contract/errors.ts'
import { parseMcpConfig } from '../../shared/contract/schemas/mcp-config.ts'

const fault = (source: string): HoldfastError => {
  try {
    parseMcpConfig('.mcp.json', source)
  } catch (error) {
    if (error instanceof HoldfastError) return error
    throw error
  }
  throw new Error('was accepted')
}
const withServer = (name: string, server: unknown): string => JSON.stringify({ mcpServers: { [name]: server } })

describe('the .mcp.json form', () => {
  test('is read as people have it, with secret references and boundaries left as they are', () => {
    const source = withServer('github-scoped', {
      command: 'npx',
      args: ['-y', 'a-github-mcp-server'],
      env: { GITHUB_TOKEN_SECRET: 'agent/github-pat', ALLOWED_REPOS: 'acme/web,acme/api' },
      disabled: false,
    })
    expect(parseMcpConfig('.mcp.json', source)).toEqual({
      mcpServers: {
        'github-scoped': {
          type: 'stdio',
          command: 'npx',
          args: ['-y', 'a-github-mcp-server'],
          env: { GITHUB_TOKEN_SECRET: 'agent/github-pat', ALLOWED_REPOS: 'acme/web,acme/api' },
        },
      },
    })
  })

  test('takes a server with a url and no type for an http one', () => {
    expect(parseMcpConfig('.mcp.json', withServer('remote', { url: 'https://mcp.example' }))).toEqual({
      mcpServers: { remote: { type: 'http', url: 'https://mcp.example' } },
    })
  })

  test('may name no server at all', () => {
    expect(parseMcpConfig('.mcp.json', '{}')).toEqual({ mcpServers: {} })
  })

  test.each([
    ['a missing command', withServer('db', { args: [] }), 'mcpServers.db.command'],
    ['an argument that is not text', withServer('db', { command: 'x', args: ['a', 1] }), 'mcpServers.db.args.1'],
    ['an impossible variable name', withServer('db', { command: 'x', env: { 'A-B': '1' } }), 'mcpServers.db.env.A-B'],
    ['an unknown type', withServer('db', { type: 'carrier-pigeon' }), 'mcpServers.db.type'],
    ['a server name that holds the separator', withServer('a__b', { command: 'x' }), 'mcpServers.a__b'],
    ['a server name that ends in the separator', withServer('a_', { command: 'x' }), 'mcpServers.a_'],
    ['the broker’s own name', withServer('holdfast', { command: 'x' }), 'mcpServers.holdfast'],
    ['servers in a list', '{"mcpServers":[]}', 'mcpServers'],
  ])('is refused with the field for %s', (_what, source, field) => {
    const error = fault(source)
    expect(error.code).toBe('profile-invalid')
    expect(error.at).toEqual({ file: '.mcp.json', field })
    expect(error.message).toContain(field)
  })

  test('is refused with the line for broken JSON, without quoting what stands there', () => {
    const error = fault('{\n  "mcpServers": {\n    "x": { "env": { "K": "hunter2" oops } }\n  }\n}')
    expect(error.code).toBe('profile-invalid')
    expect(error.at).toMatchObject({ file: '.mcp.json', line: 3 })
    expect(error.message).toBe('.mcp.json line 3 is not valid JSON.')
  })

  test('is refused when it is longer than 1 MiB', () => {
    expect(fault(' '.repeat(1_048_577)).message).toBe('.mcp.json is longer than 1 MiB.')
  })

  test('is refused with more than 100 servers', () => {
    const servers = Object.fromEntries(Array.from({ length: 101 }, (_, index) => [`s${index}`, { command: 'x' }]))
    expect(fault(JSON.stringify({ mcpServers: servers })).message).toContain('at most 100 servers')
  })
})
