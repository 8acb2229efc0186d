import { createPublicKey, verify } from 'node:crypto'
import { get } from 'node:https'
import { Release, UpdateFeed, UpdateSource } from '../shared/contract/schemas/update.ts'

const MAX_FEED_BYTES = 16 * 1024
const TIMEOUT_MS = 10_000

const isNewer = (version: string, than: string): boolean => {
  const [theirs, ours] = [version, than].map((text) => text.split('.').map(Number))
  const at = theirs?.findIndex((number, index) => number !== ours?.[index]) ?? -1
  return at !== -1 && (theirs?.[at] ?? 0) > (ours?.[at] ?? 0)
}

/** What a feed's text tells: a newer release, or null. Throws Error when it is not signed with the key, or not of this form. */
export const readFeed = (text: string, key: string, ours: string): Release | null => {
  const { signed, signature } = UpdateFeed.parse(JSON.parse(text))
  const payload = Buffer.from(signed, 'base64')
  const publicKey = createPublicKey({ key: Buffer.from(key, 'base64'), format: 'der', type: 'spki' })
  if (publicKey.asymmetricKeyType !== 'ed25519' || !verify(null, payload, publicKey, Buffer.from(signature, 'base64'))) {
    throw new Error('The update feed is not signed with the key that you named.')
  }
  const release = Release.parse(JSON.parse(payload.toString('utf8')))
  return isNewer(release.version, ours) ? release : null
}

/** A text over https, as it is: a redirect is refused. Rejects with Error when it is too long, or does not come in time. */
export const fetchText = (url: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const request = get(url, { timeout: TIMEOUT_MS }, (response) => {
      if (response.statusCode !== 200) return void request.destroy(new Error(`The update feed answered ${response.statusCode ?? 'nothing'}.`))
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
        if (text.length > MAX_FEED_BYTES) request.destroy(new Error('The update feed is too long.'))
      })
      response.on('end', () => resolve(text))
    })
    request.on('timeout', () => request.destroy(new Error('The update feed does not answer.')))
    request.on('error', reject)
  })

/**
 * A newer release than `ours`, or null: there is none, or the user named no feed and key to look by (`updates` in
 * shell.json). It downloads and installs nothing. Rejects with Error when the feed cannot be read or trusted.
 */
export const checkForUpdate = async (wanted: unknown, ours: string, fetch: (url: string) => Promise<string> = fetchText): Promise<Release | null> => {
  if (wanted === undefined) return null
  const { feed, key } = UpdateSource.parse(wanted)
  return readFeed(await fetch(feed), key, ours)
}
