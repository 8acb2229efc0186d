const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text)
const fromHex = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
const toHex = (random: Uint8Array): string => Array.from(random, (byte) => byte.toString(16).padStart(2, '0')).join('')

/**
 * Asks whoever listens at this page's address to show that it knows this login, before the token is said to it: the host
 * may have gone, and its port be another program's. Throws TypeError when nobody answers.
 */
export const askForProof = async (token: string): Promise<'host' | 'logged-out' | 'stranger'> => {
  const nonce = toHex(crypto.getRandomValues(new Uint8Array(32)))
  const answer = await fetch('/prove', { method: 'POST', cache: 'no-store', body: JSON.stringify({ nonce }) })
  if (answer.status === 401) return 'logged-out'
  if (!answer.ok) return 'stranger'
  try {
    const { proof } = (await answer.json()) as { proof: unknown }
    const key = await crypto.subtle.importKey('raw', await crypto.subtle.digest('SHA-256', bytes(token)), { name: 'HMAC', hash: 'SHA-256' }, false, ['verify'])
    return (await crypto.subtle.verify('HMAC', key, fromHex(String(proof)), bytes(`holdfast host ${nonce}`))) ? 'host' : 'stranger'
  } catch {
    return 'stranger'
  }
}
