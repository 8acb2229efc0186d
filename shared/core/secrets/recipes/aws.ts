import { execFile } from 'node:child_process'
import { z } from 'zod'
import { HoldfastError } from '../../../contract/errors.ts'
import type { SecretDetails } from '../../../contract/schemas/secret.ts'

const ANSWERS_WITHIN_MS = 15_000
const MAX_OUTPUT_BYTES = 65_536
const DAY_MS = 86_400_000
/** Of a session policy, in characters (AWS STS, AssumeRole). */
const MAX_POLICY = 2_048

const texts = z.union([z.string().max(2_048), z.array(z.string().max(2_048)).max(200)])
const Statement = z.looseObject({ Effect: z.enum(['Allow', 'Deny']), Action: texts.optional(), NotAction: texts.optional() })
const Policy = z.looseObject({ Version: z.string().max(20).optional(), Statement: z.union([Statement, z.array(Statement).min(1).max(100)]) })
type Policy = z.infer<typeof Policy>

export interface AwsRole {
  readonly arn: string
  readonly region: string
  /** The session policy, with its end: one line of JSON. A session gets what role and policy both allow, and no more. */
  readonly policy: string
  /** What the policy allows, for a person. */
  readonly allows: readonly string[]
  /** When the policy ends. */
  readonly expiresAt: number
}

const listOf = (value: z.infer<typeof texts> | undefined): readonly string[] => (value === undefined ? [] : typeof value === 'string' ? [value] : value)

const parsePolicy = (text: string): Policy => {
  try {
    return Policy.parse(JSON.parse(text))
  } catch {
    throw new HoldfastError('bad-params', 'The session policy is no IAM policy: JSON with a Statement of Effect, Action and Resource.')
  }
}

/**
 * A role that an agent may be, held by a session policy, for 90 days: AWS itself refuses it after that. Throws
 * HoldfastError `bad-params` for what AWS would not take.
 */
export const awsRole = (given: { readonly arn: string; readonly region: string; readonly policy: string }, now: number): AwsRole => {
  const { arn, region } = given
  if (!/^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]{1,512}$/.test(arn)) throw new HoldfastError('bad-params', `"${arn.slice(0, 200)}" is no role: arn:aws:iam::123456789012:role/NAME`)
  if (!/^[a-z]{2}(-[a-z]+)+-\d{1,2}$/.test(region)) throw new HoldfastError('bad-params', `"${region.slice(0, 50)}" is no region, such as eu-central-1.`)
  const policy = parsePolicy(given.policy)
  const statements = Array.isArray(policy.Statement) ? policy.Statement : [policy.Statement]
  const expiresAt = Math.floor((now + 90 * DAY_MS) / 1_000) * 1_000
  const end = { Effect: 'Deny', Action: '*', Resource: '*', Condition: { DateGreaterThan: { 'aws:CurrentTime': new Date(expiresAt).toISOString().replace('.000Z', 'Z') } } }
  // Neither a quote nor a dollar is left: the line stands between single quotes, and in a file where a dollar may mean something.
  const line = JSON.stringify({ ...policy, Version: policy.Version ?? '2012-10-17', Statement: [...statements, end] }).replaceAll("'", '\\u0027').replaceAll('$', '\\u0024')
  if (line.length > MAX_POLICY) throw new HoldfastError('bad-params', `The session policy is ${line.length} characters long with its end; AWS takes ${MAX_POLICY}.`)
  const allows = statements.filter(({ Effect }) => Effect === 'Allow').flatMap(({ Action, NotAction }) => [...listOf(Action), ...listOf(NotAction).map((action) => `all but ${action}`)])
  return { arn, region, policy: line, allows, expiresAt }
}

/** The command that issues a credential for an hour: what stands after `exec:`. */
export const assumeRoleLine = ({ arn, region, policy }: AwsRole): string =>
  `aws sts assume-role --role-arn ${arn} --role-session-name holdfast --duration-seconds 3600 --region ${region} --output json --policy '${policy}'`

const FIELDS = [['AWS_ACCESS_KEY_ID', 'AccessKeyId'], ['AWS_SECRET_ACCESS_KEY', 'SecretAccessKey'], ['AWS_SESSION_TOKEN', 'SessionToken']] as const

/** The variables of a server's `env` by which it gets credentials of the role, each issued when it starts. */
export const awsServerEnv = (role: AwsRole): Readonly<Record<string, string>> => ({
  AWS_REGION: role.region,
  ...Object.fromEntries(FIELDS.map(([variable, field]) => [`${variable}_SECRET`, `exec[Credentials.${field}]: ${assumeRoleLine(role)}`])),
})

/** How to make a role for an agent, for a person who may. */
export const awsSteps = (role: AwsRole): string[] => {
  const [account = '', path = ''] = [/::(\d{12}):/.exec(role.arn)?.[1], /:role\/(.*)$/.exec(role.arn)?.[1]]
  const trust = JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal: { AWS: `arn:aws:iam::${account}:root` }, Action: 'sts:AssumeRole' }] })
  return [
    'If there is no such role yet, make it, and give it no more than its agents need:',
    `  aws iam create-role --role-name ${path.split('/').at(-1) ?? ''} --max-session-duration 3600 --assume-role-policy-document '${trust}'`,
    '',
    `A session of it may do what the role may and this policy allows, and nothing after ${new Date(role.expiresAt).toISOString().slice(0, 10)}:`,
    `  ${role.policy}`,
    '',
    'Give it to a server by its env, in your profile; each start of the server has a credential issued for an hour:',
    ...JSON.stringify({ env: awsServerEnv(role) }, null, 2).split('\n').map((line) => `  ${line}`),
  ]
}

const Identity = z.object({ Account: z.string().max(20), Arn: z.string().min(1).max(2_048) })

const ask = (aws: string, region: string, credential: Readonly<Record<string, string>>): Promise<string> =>
  new Promise((resolve, reject) => {
    execFile(
      aws,
      ['sts', 'get-caller-identity', '--output', 'json'],
      {
        // No account of the user's: what answers is the credential alone.
        env: { PATH: '/usr/bin:/bin', AWS_REGION: region, AWS_CONFIG_FILE: '/dev/null', AWS_SHARED_CREDENTIALS_FILE: '/dev/null', AWS_EC2_METADATA_DISABLED: 'true', ...credential },
        timeout: ANSWERS_WITHIN_MS,
        maxBuffer: MAX_OUTPUT_BYTES,
      },
      (error, stdout, stderr) => {
        if (error === null) return resolve(stdout)
        const said = Object.values(credential).reduce((text, value) => text.replaceAll(value, '…'), stderr.trim().split('\n')[0] ?? '')
        return reject(new HoldfastError('secret-unavailable', `AWS refuses the credential: ${said.slice(0, 300)} Nothing was kept.`))
      },
    )
  })

/**
 * Has a credential issued by the very command that servers get it by, and asks AWS with one read call, by the `aws`
 * given, who that is. Throws HoldfastError `secret-unavailable`; never repeats the credential.
 */
export const tryAwsRole = async (aws: string, role: AwsRole, issue: (reference: string) => Promise<{ readonly value: string }>): Promise<{ details: SecretDetails; warnings: string[] }> => {
  const line = assumeRoleLine(role)
  const credential: Record<string, string> = {}
  for (const [variable, field] of FIELDS) credential[variable] = (await issue(`exec[Credentials.${field}]: ${line}`)).value
  const answer = await ask(aws, role.region, credential)
  const identity = Identity.safeParse(z.string().transform((text) => JSON.parse(text) as unknown).catch(null).parse(answer))
  if (!identity.success) throw new HoldfastError('secret-unavailable', 'AWS gave an answer that Holdfast does not understand. Nothing was kept.')
  const { Arn: who } = identity.data
  const name = role.arn.split('/').at(-1) ?? ''
  if (!who.includes(`:assumed-role/${name}/`)) throw new HoldfastError('secret-unavailable', `The credential is ${who.slice(0, 200)}, and not ${role.arn}. Nothing was kept.`)
  return { details: awsDetails(role, who), warnings: awsWarnings(role) }
}

/** What is kept of a role: whose it is, how far it goes, when it ends. */
export const awsDetails = (role: AwsRole, owner = role.arn): SecretDetails => ({ owner: owner.slice(0, 200), scope: `${role.region}: ${role.allows.join(', ') || 'nothing'}`.slice(0, 200), expiresAt: role.expiresAt })

const awsWarnings = ({ allows }: AwsRole): string[] => (allows.some((action) => action === '*' || action.startsWith('all but ')) ? ['Its session policy allows whatever the role may: name the actions that its agents need.'] : [])
