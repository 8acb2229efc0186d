import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto'
import type { LedgerSigner } from '../ports.ts'

/** Ed25519 over the text's UTF-8 bytes; false for whatever is no key or no signature. */
export const verifySignature = (publicKey: string, text: string, signature: string): boolean => {
  try {
    const key = createPublicKey({ key: Buffer.from(publicKey, 'base64'), format: 'der', type: 'spki' })
    return key.asymmetricKeyType === 'ed25519' && verify(null, Buffer.from(text), key, Buffer.from(signature, 'base64'))
  } catch {
    return false
  }
}

/** A new Ed25519 key: base64 of its PKCS #8 form. */
export const generateKey = (): string =>
  generateKeyPairSync('ed25519').privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64')

/** Throws when the text is no Ed25519 key in the form `generateKey` gives. */
export const signerOf = (key: string): LedgerSigner => {
  const privateKey: KeyObject = createPrivateKey({ key: Buffer.from(key, 'base64'), format: 'der', type: 'pkcs8' })
  if (privateKey.asymmetricKeyType !== 'ed25519') throw new Error('not an Ed25519 key')
  return {
    publicKey: createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).toString('base64'),
    sign: (text) => sign(null, Buffer.from(text), privateKey).toString('base64'),
  }
}

/** The key as other tools read it: PEM of its SubjectPublicKeyInfo. */
export const toPem = (publicKey: string): string => `-----BEGIN PUBLIC KEY-----\n${publicKey}\n-----END PUBLIC KEY-----\n`

/** The key of a PEM text, as a seal names it. Throws when it is no Ed25519 public key. */
export const fromPem = (pem: string): string => {
  const key = createPublicKey(pem)
  if (key.asymmetricKeyType !== 'ed25519') throw new Error('not an Ed25519 key')
  return key.export({ format: 'der', type: 'spki' }).toString('base64')
}
