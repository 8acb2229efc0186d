import { generateKeyPairSync, sign } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { checkForUpdate } from '../../electron/update-check.ts'

const { publicKey, privateKey } = generateKeyPairSync('ed25519')
const key = publicKey.export({ format: 'der', type: 'spki' }).toString('base64')
const FEED = 'https://updates.example/holdfast.json'
const release = (version: string, page = 'https://updates.example/0.2.0') => Buffer.from(JSON.stringify({ version, page }))
const feedOf = (payload: Buffer, signedWith = privateKey) => JSON.stringify({ signed: payload.toString('base64'), signature: sign(null, payload, signedWith).toString('base64') })
const check = (text: string, wanted: unknown = { feed: FEED, key }) => checkForUpdate(wanted, '0.1.0', async () => text)

describe('the check for a newer version', () => {
  it('is off until the user names a feed and its key: nothing is asked', async () => {
    expect(await checkForUpdate(undefined, '0.1.0', () => Promise.reject(new Error('asked')))).toBeNull()
  })

  it('tells of a newer version that is signed, and of no other', async () => {
    expect(await check(feedOf(release('0.2.0')))).toEqual({ version: '0.2.0', page: 'https://updates.example/0.2.0' })
    expect(await check(feedOf(release('0.10.0')))).toMatchObject({ version: '0.10.0' })
    for (const version of ['0.1.0', '0.0.9']) expect(await check(feedOf(release(version)))).toBeNull()
  })

  it('trusts nothing that another key signed, or that was changed after', async () => {
    await expect(check(feedOf(release('9.9.9'), generateKeyPairSync('ed25519').privateKey))).rejects.toThrow('The update feed is not signed with the key that you named.')
    const { signature } = JSON.parse(feedOf(release('0.2.0'))) as { signature: string }
    await expect(check(JSON.stringify({ signed: release('9.9.9').toString('base64'), signature }))).rejects.toThrow('is not signed')
    const rsa = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'der', type: 'spki' }).toString('base64')
    await expect(check(feedOf(release('0.2.0')), { feed: FEED, key: rsa })).rejects.toThrow('is not signed')
  })

  it.each([
    ['a feed without encryption', { feed: 'http://updates.example/', key }, feedOf(release('0.2.0'))],
    ['a page of another scheme', { feed: FEED, key }, feedOf(release('0.2.0', 'file:///etc/passwd'))],
    ['a version that is none', { feed: FEED, key }, feedOf(release('0.2.0; rm -rf ~'))],
    ['no JSON', { feed: FEED, key }, '<html>'],
    ['settings that make no sense', { feed: 7 }, feedOf(release('0.2.0'))],
  ])('refuses %s', async (_what, wanted, text) => {
    await expect(check(text, wanted)).rejects.toBeInstanceOf(Error)
  })
})
