import aws4 from 'aws4'
import { z } from 'zod'
import { HoldfastError } from '../../contract/errors.ts'
import type { CloudUpstream } from './cloud-upstream.ts'
import { bedrockMessages } from './dialects/bedrock-messages.ts'
import { upstreamHeaders } from './forward-headers.ts'

/** As `aws configure export-credentials` prints it. */
const AccessKey = z.object({
  AccessKeyId: z.string().regex(/^\w{16,128}$/),
  SecretAccessKey: z.string().regex(/^[\x21-\x7e]{16,256}$/),
  SessionToken: z.string().regex(/^[\x21-\x7e]{1,16384}$/).nullish(),
  Expiration: z.iso.datetime({ offset: true }).nullish(),
})
type AccessKey = z.infer<typeof AccessKey>

const API_KEY = /^[\x21-\x7e]{16,16384}$/
/** Keys of Anthropic's own API, and an access key's id alone: AWS is not shown the first, and can do nothing with the other. */
const NO_API_KEY = /^(?:sk-ant-|AKIA|ASIA|\{)/

const credentialIn = (keyName: string, key: string | null, now: number): string | AccessKey => {
  const text = key?.trim() ?? ''
  if (API_KEY.test(text) && !NO_API_KEY.test(text)) return text
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    json = null
  }
  const found = AccessKey.safeParse(json)
  if (!found.success) {
    throw new HoldfastError('secret-unavailable', `What is kept as ${keyName} is no credential for Bedrock. Keep a Bedrock API key with: holdfast secret set ${keyName}; or an access key: aws configure export-credentials | holdfast secret set ${keyName}`)
  }
  const { Expiration: end } = found.data
  if (end != null && Date.parse(end) <= now) {
    throw new HoldfastError('secret-unavailable', `The AWS credential kept as ${keyName} ended at ${end}. Keep a new one: aws configure export-credentials | holdfast secret set ${keyName}`)
  }
  return found.data
}

/** Models of Anthropic's alone: another's answer would be another API's, which nobody judges. An application's own profile does not say what is behind it. */
const MODEL = /^(?:arn:aws[a-z-]*:bedrock:[a-z0-9-]*:\d{0,12}:(?:inference-profile|foundation-model)\/)?(?:[a-z-]{2,10}\.)?anthropic\.claude-[a-z0-9.:-]{1,100}$/
const APPLICATION_PROFILE = /^arn:aws[a-z-]*:bedrock:[a-z0-9-]+:\d{12}:application-inference-profile\/[a-z0-9]{1,64}$/
const PATH = /^\/model\/([A-Za-z0-9._~%:-]{1,512})\/(invoke|invoke-with-response-stream|count-tokens)$/

const modelIn = (segment: string): string | null => {
  try {
    const model = decodeURIComponent(segment)
    return MODEL.test(model) || APPLICATION_PROFILE.test(model) ? model : null
  } catch {
    return null
  }
}

/** What changes the price or asks for more than the model stands in headers of these names: none of them passes. */
const AMAZON = /^x-amz/

/** The headers that prove a request by AWS Signature Version 4; what else the agent says stands outside of it. */
const signed = (access: AccessKey, region: string, { baseUrl, path, body, now }: { baseUrl: string; path: string; body: Buffer; now: number }): Record<string, string> => {
  const { host, pathname } = new URL(baseUrl)
  const date = new Date(now).toISOString().replace(/[:-]|\.\d{3}/g, '')
  const headers: Record<string, string> = { host, 'content-type': 'application/json', 'x-amz-date': date, ...(access.SessionToken == null ? {} : { 'x-amz-security-token': access.SessionToken }) }
  const request = { service: 'bedrock', region, method: 'POST', path: pathname.replace(/\/$/, '') + path, headers, body, extraHeadersToIgnore: { 'content-length': true } }
  const { host: _, ...rest } = headers
  aws4.sign(request, { accessKeyId: access.AccessKeyId, secretAccessKey: access.SecretAccessKey })
  const authorization = (request.headers as Record<string, string>)['Authorization'] ?? ''
  return { ...rest, authorization }
}

/** Amazon Bedrock in one region, with the credential that the keychain holds as `keyName`: a Bedrock API key, or an access key as JSON. */
export const createBedrock = ({ region, keyName }: { readonly region: string; readonly keyName: string }): CloudUpstream => ({
  baseUrl: `https://bedrock-runtime.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`,
  findEndpoint: (method, path) => {
    const [, segment = '', action = ''] = PATH.exec(path) ?? []
    const model = method === 'POST' ? modelIn(segment) : null
    if (model === null) return null
    return { does: action === 'count-tokens' ? 'pass' : 'meter', dialect: bedrockMessages({ model, stream: action !== 'invoke' }) }
  },
  headersFor: (given, request) => {
    const credential = credentialIn(keyName, request.key, request.now)
    const headers = Object.fromEntries(Object.entries(given).filter(([name]) => !AMAZON.test(name)))
    const proof = typeof credential === 'string' ? { authorization: `Bearer ${credential}` } : signed(credential, region, request)
    return upstreamHeaders(headers, proof, request.body.length)
  },
})
