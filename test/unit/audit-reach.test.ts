import { expect, it } from 'vitest'
import { auditFile } from '../../shared/domain/audit/audit-file.ts'
import type { FileKind } from '../../shared/domain/audit/finding.ts'

const TOKEN = `gho_${'a1B2'.repeat(9)}`
const reach = (kind: FileKind, text: string): string[] =>
  auditFile({ kind, text, scope: 'user', mode: 0o600, home: '/home/ann', secrets: [] }).reach.map(({ name, detail, line }) => `${name}: ${detail} @${line ?? '-'}`)

it('tells whose a credential is, how far it goes and how it is kept, and never the credential', () => {
  expect(reach('gh', `github.com:\n    user: ann\n    oauth_token: ${TOKEN}\nghe.example:\n    users:\n        ann-work:\n    user: ann-work\n`)).toEqual([
    'GitHub: as ann on github.com, in plain text @3', 'GitHub: as ann-work on ghe.example, in the keyring @3',
  ])
  expect(reach('aws', '[default]\naws_access_key_id = AKIAX\naws_secret_access_key = s\n[sso]\naws_access_key_id = ASIAX\naws_secret_access_key = s\naws_session_token = t\n[tool]\ncredential_process = /x\n')).toEqual([
    'AWS: profile default, lasting, in plain text @1', 'AWS: profile sso, for a while, in plain text @4', 'AWS: profile tool, by a command @8',
  ])
  expect(reach('aws-config', '[default]\nregion = x\n[profile work]\nsso_session = w\nrole_arn = arn:aws:iam::1:role/dev\n[profile tool]\ncredential_process = /x\n')).toEqual(['AWS: profile work, by sso, arn:aws:iam::1:role/dev @3', 'AWS: profile tool, by a command @6'])
  expect(reach('gcloud-config', '[core]\naccount = ann@example.com\nproject = shop\n')).toEqual(['Google Cloud: as ann@example.com, shop @2'])
  expect(reach('azure-profile', '{"subscriptions":[{"name":"Prod","user":{"name":"ann@example.com"}},{"name":"Dev","user":{"name":"ann@example.com"}}]}')).toEqual(['Azure: as ann@example.com, Prod and Dev @-'])
  expect(reach('kube', 'current-context: prod\ncontexts:\n- name: prod\n  context: {cluster: c, user: admin}\n- name: dev\n  context: {cluster: d, user: me}\n')).toEqual([
    'Kubernetes: admin in prod, the current context @-', 'Kubernetes: me in dev @-',
  ])
  expect(reach('docker', '{"auths":{"ghcr.io":{},"reg.example":{"auth":"YTpi"}},"credsStore":"secretservice"}')).toEqual(['Docker: ghcr.io, in the keyring @1', 'Docker: reg.example, in plain text @1'])
  expect(reach('npmrc', '//registry.example/:_authToken=abcdefgh12345\n_auth=${NPM}\n')).toEqual(['npm: registry.example, in plain text @1', 'npm: every registry, from the environment @2'])
  expect(reach('git-credentials', 'https://ann:hunter2@git.example\n')).toEqual(['git: as ann on git.example, in plain text @1'])
  expect(reach('git-config', '[core]\n\teditor = vi\n[user]\n\temail = ann@example.com\n')).toEqual(['git: commits as ann@example.com @3'])
})

it('describes each server: what it is, its version, its tools, what it opens, and how its credential is kept', () => {
  const servers = {
    files: { command: 'npx', args: ['-y', '@modelcontextprotocol/server-filesystem', '/'] },
    github: { command: 'npx', args: ['-y', 'a-github-server@1.2.3'], env: { GITHUB_TOKEN: TOKEN }, includeTools: ['get_issue'] },
    db: { command: '/usr/local/bin/db-server', env: { DB_PASSWORD_SECRET: 'agent/db' } },
    remote: { url: 'https://user:pw@mcp.example/v1?token=x', disabled: true },
    clone: { command: 'npx', args: [`git+https://ann:${TOKEN}@github.com/a/b`] },
    line: { command: 'sh', args: ['-c', 'node x.js'] },
  }
  expect(reach('mcp', JSON.stringify({ mcpServers: servers }))).toEqual([
    'files: @modelcontextprotocol/server-filesystem, whatever version is newest, all its tools, opens a whole disk or home folder @1',
    'github: a-github-server@1.2.3, at a fixed version, only get_issue, with a credential in plain text @1',
    'db: db-server, all its tools, with a credential from the keychain @1',
    'remote: mcp.example, switched off, all its tools @1',
    'clone: git+https://github.com/a/b, whatever version is newest, all its tools, with a credential in plain text @1',
    'line: sh, all its tools, runs commands @1',
  ])
})

it('is not misled by a file that is broken, and shows no control characters', () => {
  expect(reach('gh', 'a: [')).toEqual([])
  expect(reach('kube', 'contexts: 3')).toEqual([])
  expect(reach('git-config', '[user]\n\temail = a\u001b[31m@x\n')).toEqual(['git: commits as a\\u{1b}[31m@x @1'])
})
