import { describe, expect, it } from 'vitest'
import { assumeRoleLine, awsRole, awsServerEnv } from '../../shared/core/secrets/recipes/aws.ts'

const ARN = 'arn:aws:iam::123456789012:role/teams/agent'
const READS = JSON.stringify({ Statement: [{ Effect: 'Allow', Action: ['logs:Get*', 'logs:Filter*'], Resource: '*' }] })
const role = (given: Partial<Parameters<typeof awsRole>[0]> = {}) => awsRole({ arn: ARN, region: 'eu-central-1', policy: READS, ...given }, Date.UTC(2026, 10, 23))

describe('a role of AWS for an agent', () => {
  it('is held by its session policy, which AWS itself ends after 90 days', () => {
    expect(role()).toMatchObject({ allows: ['logs:Get*', 'logs:Filter*'], expiresAt: Date.UTC(2027, 1, 21) })
    expect(JSON.parse(role().policy)).toEqual({
      Version: '2012-10-17',
      Statement: [
        { Effect: 'Allow', Action: ['logs:Get*', 'logs:Filter*'], Resource: '*' },
        { Effect: 'Deny', Action: '*', Resource: '*', Condition: { DateGreaterThan: { 'aws:CurrentTime': '2027-02-21T00:00:00Z' } } },
      ],
    })
  })

  it('is given to a server as a command that issues a credential for an hour, all of it by one run', () => {
    const env = awsServerEnv(role())
    expect(Object.keys(env)).toEqual(['AWS_REGION', 'AWS_ACCESS_KEY_ID_SECRET', 'AWS_SECRET_ACCESS_KEY_SECRET', 'AWS_SESSION_TOKEN_SECRET'])
    const line = assumeRoleLine(role())
    expect(env['AWS_SESSION_TOKEN_SECRET']).toBe(`exec[Credentials.SessionToken]: ${line}`)
    expect(line).toMatch(/^aws sts assume-role --role-arn arn:aws:iam::123456789012:role\/teams\/agent --role-session-name holdfast --duration-seconds 3600 --region eu-central-1 --output json --policy '\{[^']*\}'$/)
  })

  it('cannot break out of its command, whatever the policy says', () => {
    const sid = "it's ${aws:username} $(id)"
    const { policy } = role({ policy: JSON.stringify({ Statement: { Sid: sid, Effect: 'Allow', Action: 's3:GetObject', Resource: '*' } }) })
    expect(policy).not.toMatch(/['$\n]/)
    expect(JSON.parse(policy).Statement[0].Sid).toBe(sid)
  })

  it.each([
    ['no role', { arn: 'arn:aws:iam::123456789012:user/me' }, 'is no role'],
    ['a role that is two words', { arn: `${ARN} --profile admin` }, 'is no role'],
    ['no region', { region: 'eu-central-1 --debug' }, 'is no region'],
    ['no policy', { policy: '{"Statement": []}' }, 'is no IAM policy'],
    ['a policy that is too long', { policy: JSON.stringify({ Statement: [{ Effect: 'Allow', Action: Array.from({ length: 120 }, () => 's3:GetBucketAcl'), Resource: '*' }] }) }, 'AWS takes 2048'],
  ])('is refused for %s', (_what, given, said) => {
    expect(() => role(given)).toThrow(said)
  })
})
