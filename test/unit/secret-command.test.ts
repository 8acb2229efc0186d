import { describe, expect, test } from 'vitest'
import { isSecretCommand, programOf, readIssued } from '../../shared/core/broker/secret-command.ts'
import { isSecretReference } from '../../shared/domain/secret-names.ts'

const NOW = Date.parse('2026-01-01T00:00:00Z')

describe('what a command that issues a secret prints', () => {
  test.each<[string, string, string | null, unknown]>([
    ['gh auth token', 'gho_abc', null, { value: 'gho_abc', expiresAt: null }],
    ['a number alone', '12345678', null, { value: '12345678', expiresAt: null }],
    ['aws sts assume-role', '{"Credentials":{"AccessKeyId":"A","SecretAccessKey":"s3","SessionToken":"t","Expiration":"2026-01-01T01:00:00+00:00"}}', 'Credentials.SecretAccessKey', { value: 's3', expiresAt: NOW + 3_600_000 }],
    ['vault read -format=json', '{"lease_duration":600,"data":{"password":"p"}}', null, { value: 'p', expiresAt: NOW + 600_000 }],
    ['vault kv get -format=json', '{"lease_duration":0,"data":{"data":{"token":"t"}}}', null, { value: 't', expiresAt: null }],
    ['az account get-access-token', '{"accessToken":"az","expires_on":1767229200}', null, { value: 'az', expiresAt: 1_767_229_200_000 }],
    ['an OAuth answer', '{"access_token":"o","expires_in":60,"token_type":"Bearer"}', null, { value: 'o', expiresAt: NOW + 60_000 }],
    ['an end that is no time', '{"token":"o","expiresAt":"soon"}', null, { value: 'o', expiresAt: null }],
    ['nothing', '', null, null],
    ['JSON without a secret', '{"user":"me"}', null, null],
    ['a field that is not there', '{"token":"t"}', 'other', null],
    ['a field of plain text', 'gho_abc', 'token', null],
    ['a field of a field that is not there', '{"token":"t"}', 'a.b.c', null],
  ])('%s', (_what, output, field, issued) => expect(readIssued(output, field, NOW)).toEqual(issued))

  test('references to commands are told from names of items, and only the program is recorded', () => {
    expect(['exec: gh auth token', 'exec[data.key]:vault read x', 'agent/github-pat', 'exec:', 'execute: x'].map(isSecretCommand)).toEqual([true, true, false, false, false])
    expect(programOf('exec[a]: op read op://vault/item')).toBe('op')
    expect(isSecretReference('TOKEN_SECRET', 'exec: gh auth token')).toBe(true)
    expect(isSecretReference('TOKEN', 'exec: gh auth token')).toBe(false)
  })
})
