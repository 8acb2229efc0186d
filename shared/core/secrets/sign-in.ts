import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { isIP, type AddressInfo } from 'node:net'
import { auth } from '@modelcontextprotocol/client'
import type { FetchLike, OAuthClientProvider, OAuthDiscoveryState, StoredOAuthClientInformation, StoredOAuthTokens } from '@modelcontextprotocol/client'
import { z } from 'zod'
import { HoldfastError } from '../../contract/errors.ts'
import { isInward } from '../egress/addresses.ts'
import type { Clock, SecretStore } from '../ports.ts'

/** A sign-in at an HTTP server, as it is kept in the keychain: OAuth 2.1 as MCP has it. */
const KeptSignIn = z.object({
  /** The server that it is for: no other gets the token. */
  url: z.url().max(4_096),
  client: z.looseObject({ client_id: z.string() }),
  tokens: z.looseObject({ access_token: z.string().min(1), token_type: z.string(), refresh_token: z.string().optional() }),
  expiresAt: z.number().nullable(),
})
type KeptSignIn = z.infer<typeof KeptSignIn>

/** A token that ends within this time is no longer given out. */
const MARGIN_MS = 60_000
const PERSON_MS = 10 * 60_000
const REQUEST_MS = 30_000
const MAX_ANSWER_BYTES = 1024 * 1024
const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/
const PAGE = '<!doctype html><meta charset="utf-8"><title>Holdfast</title><p>Signed in. You can close this page.'

const isLoopback = (url: URL): boolean => LOOPBACK.test(url.hostname)
/** Nobody on the way can read what goes there: https, or http on this machine. */
const isPrivate = (url: URL): boolean => url.username === '' && (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url)))

/** Whether an address names this machine or its network, in any spelling. A public name that leads there needs its certificate. */
const isInwardUrl = ({ hostname }: URL): boolean => {
  const host = hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '')
  return /(^|\.)localhost$/.test(host) || (isIP(host) !== 0 && isInward(host))
}

/** Throws HoldfastError `bad-params` for an address that is not private. */
const privateAddress = (text: string): URL => {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url !== null && isPrivate(url)) return url
  throw new HoldfastError('bad-params', 'The server’s address must be https (http on this machine alone), with no user in it.')
}

/**
 * The server says where one signs in and where tokens come from: only private addresses, and none of this machine or its network
 * unless the server is there too, so that nobody else's server gets at what listens here. Throws HoldfastError `secret-unavailable`.
 */
export const checkLed = (server: URL, to: URL): void => {
  if (isPrivate(to) && (!isInwardUrl(to) || isInwardUrl(server))) return
  throw new HoldfastError('secret-unavailable', `${server.host} leads to ${to.protocol}//${to.host} to sign in, and Holdfast does not go there: it must be https, and not on this machine or its network.`)
}

/** The answer with its whole body, which is small or refused. */
const readWhole = async (response: Response, from: URL): Promise<Response> => {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.length
    if (size > MAX_ANSWER_BYTES) throw new HoldfastError('secret-unavailable', `${from.host} sent more than ${MAX_ANSWER_BYTES} bytes where a sign-in needs a few.`)
    chunks.push(chunk)
  }
  return new Response(chunks.length === 0 ? null : Buffer.concat(chunks), response)
}

/** What is sent to sign in is for the address that was asked for alone: redirects are the SDK's, within one origin. */
const fetchFor =
  (server: URL): FetchLike =>
  async (input, init) => {
    const url = new URL(input)
    checkLed(server, url)
    return readWhole(await fetch(url, { redirect: 'manual', ...init, signal: AbortSignal.timeout(REQUEST_MS) }), url)
  }

interface SignInState {
  client?: StoredOAuthClientInformation
  tokens?: StoredOAuthTokens
  discovery?: OAuthDiscoveryState
  verifier?: string
}

const providerOf = (state: SignInState, redirectUrl: string, nonce: string, onRedirect: (url: URL) => void): OAuthClientProvider => ({
  redirectUrl,
  clientMetadata: {
    client_name: 'Holdfast',
    redirect_uris: [redirectUrl],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  },
  state: () => nonce,
  clientInformation: () => state.client,
  saveClientInformation: (client) => void (state.client = client),
  tokens: () => state.tokens,
  saveTokens: (tokens) => void (state.tokens = tokens),
  discoveryState: () => state.discovery,
  saveDiscoveryState: (discovery) => void (state.discovery = discovery),
  saveCodeVerifier: (verifier) => void (state.verifier = verifier),
  codeVerifier: () => state.verifier ?? '',
  invalidateCredentials: (what) => {
    if (what === 'all' || what === 'tokens') delete state.tokens
    if (what === 'all' || what === 'client') delete state.client
  },
  redirectToAuthorization: onRedirect,
})

const keep = ({ client, tokens }: SignInState, url: URL, now: number): KeptSignIn => {
  const expiresAt = tokens?.expires_in === undefined ? null : now + tokens.expires_in * 1_000
  return KeptSignIn.parse({ url: url.href, client, tokens, expiresAt })
}

/** Waits on this machine for the browser to come back with a code; what does not carry the nonce is not it. */
const listenForCode = async (nonce: string) => {
  const back = Promise.withResolvers<{ code: string; iss: string | undefined }>()
  const server = createServer((request, response) => {
    const url = URL.parse(request.url ?? '', 'http://127.0.0.1')
    if (request.method !== 'GET' || url?.pathname !== '/callback' || url.searchParams.get('state') !== nonce) return void response.writeHead(404).end()
    const { searchParams } = url
    const code = searchParams.get('code')
    response.writeHead(200, { 'Content-Type': 'text/html', 'Content-Security-Policy': "default-src 'none'", 'Referrer-Policy': 'no-referrer' }).end(code === null ? 'Not signed in.' : PAGE)
    if (code === null) back.reject(new HoldfastError('secret-unavailable', `The server did not sign you in (${(searchParams.get('error') ?? 'no reason given').slice(0, 100)}).`))
    else back.resolve({ code, iss: searchParams.get('iss') ?? undefined })
  })
  back.promise.catch(() => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const timer = setTimeout(() => back.reject(new HoldfastError('secret-unavailable', 'Nobody signed in within 10 minutes. Try again.')), PERSON_MS)
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/callback`,
    answer: back.promise,
    close: () => {
      clearTimeout(timer)
      server.close()
      server.closeAllConnections()
    },
  }
}

/**
 * Signs in at an MCP server over HTTP, with a page that a person answers in a browser (OAuth 2.1 with PKCE, a loopback
 * redirect as in RFC 8252, the client registered on the spot unless it has an id). Resolves with what is to be kept in
 * the keychain. Throws HoldfastError `bad-params`, and `secret-unavailable` when it does not come to that.
 */
export const signIn = async (params: { url: string; clientId?: string; scope?: string; now: () => number; show: (page: URL) => void }): Promise<string> => {
  const url = privateAddress(params.url)
  const nonce = randomBytes(24).toString('base64url')
  const listener = await listenForCode(nonce)
  const state: SignInState = params.clientId === undefined ? {} : { client: { client_id: params.clientId } }
  const provider = providerOf(state, listener.url, nonce, (page) => {
    checkLed(url, page)
    params.show(page)
  })
  const options = { serverUrl: url, fetchFn: fetchFor(url), ...(params.scope === undefined ? {} : { scope: params.scope }) }
  try {
    if ((await auth(provider, options)) === 'REDIRECT') {
      const { code, iss } = await listener.answer
      await auth(provider, { ...options, authorizationCode: code, ...(iss === undefined ? {} : { iss }) })
    }
    return JSON.stringify(keep(state, url, params.now()))
  } catch (error) {
    if (error instanceof HoldfastError) throw error
    throw new HoldfastError('secret-unavailable', `The sign-in at ${url.host} failed: ${error instanceof Error ? error.message.slice(0, 300) : 'no reason given'}`, { cause: error })
  } finally {
    listener.close()
  }
}

export interface SignIns {
  /**
   * The token of a kept sign-in for the server at `url`, fresh; null when there is none of that name. Throws HoldfastError
   * `secret-unavailable` where one has to sign in again, and where the sign-in is for another server.
   */
  token(name: string, agent: string, url: string): Promise<{ readonly value: string; readonly expiresAt: number | null } | null>
  /** The server did not take this token: the next is a new one. */
  refused(name: string, token: string): void
}

/** Keeps sign-ins fresh, each by one request at a time: a token to refresh with is often good for one use. */
export const createSignIns = (deps: { readonly secrets: SecretStore; readonly clock: Clock; readonly know: (value: string) => void }): SignIns => {
  const underWay = new Map<string, Promise<unknown>>()
  const refused = new Map<string, string>()

  const refresh = async (name: string, kept: KeptSignIn): Promise<KeptSignIn> => {
    const again = new HoldfastError('secret-unavailable', `The sign-in ${name} has ended. Sign in again: holdfast secret login ${name} ${kept.url}`)
    if (kept.tokens.refresh_token === undefined) throw again
    const state: SignInState = { client: kept.client, tokens: kept.tokens }
    const provider = providerOf(state, 'http://127.0.0.1/callback', '', () => {
      throw again
    })
    await auth(provider, { serverUrl: kept.url, fetchFn: fetchFor(new URL(kept.url)) }).catch((error: unknown) => {
      if (error instanceof HoldfastError) throw error
      throw new HoldfastError('secret-unavailable', `The sign-in ${name} could not be renewed at ${new URL(kept.url).host}. It is tried again.`, { cause: error })
    })
    const fresh = keep(state, new URL(kept.url), deps.clock.now())
    await deps.secrets.set(name, JSON.stringify(fresh))
    return fresh
  }

  const read = async (name: string, agent: string, url: string): Promise<{ value: string; expiresAt: number | null } | null> => {
    const text = await deps.secrets.get(name, agent)
    if (text === null) return null
    const parse = (): KeptSignIn | null => {
      try {
        return KeptSignIn.parse(JSON.parse(text))
      } catch {
        return null
      }
    }
    const kept = parse()
    if (kept === null) throw new HoldfastError('secret-unavailable', `${name} is no sign-in. Sign in with: holdfast secret login ${name} URL`)
    if (new URL(kept.url).href !== new URL(url).href) throw new HoldfastError('secret-unavailable', `The sign-in ${name} is for another server, ${new URL(kept.url).host}.`)
    const isGood = (kept.expiresAt === null || kept.expiresAt > deps.clock.now() + MARGIN_MS) && refused.get(name) !== kept.tokens.access_token
    const { tokens, expiresAt } = isGood ? kept : await refresh(name, kept)
    refused.delete(name)
    if (tokens.refresh_token !== undefined) deps.know(tokens.refresh_token)
    return { value: tokens.access_token, expiresAt }
  }

  return {
    token: async (name, agent, url) => {
      const before = underWay.get(name) ?? Promise.resolve()
      const mine = before.catch(() => {}).then(() => read(name, agent, url))
      underWay.set(name, mine)
      return mine.finally(() => {
        if (underWay.get(name) === mine) underWay.delete(name)
      })
    },
    refused: (name, token) => void refused.set(name, token),
  }
}
