import { createHash, createPublicKey, sign, type KeyObject } from 'node:crypto'

/** OpenSSH's wire form of one field: its length, then its bytes (RFC 4251, section 5). */
const field = (bytes: Buffer | string): Buffer => {
  const content = Buffer.from(bytes as string)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(content.length)
  return Buffer.concat([length, content])
}

const KIND = 'ssh-ed25519'

/** A public key as OpenSSH sends it (RFC 8709): the last 32 bytes of a SubjectPublicKeyInfo are the key itself. */
const keyBlob = (privateKey: KeyObject): Buffer => Buffer.concat([field(KIND), field(createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(-32))])

/** The public half, as it stands in an `authorized_keys` or allowed-signers line. */
export const sshPublicKey = (privateKey: KeyObject): string => `${KIND} ${keyBlob(privateKey).toString('base64')}`

/** The way `ssh-keygen -l` names it. `publicKey` is in the form of `sshPublicKey`. */
export const sshFingerprint = (publicKey: string): string =>
  `SHA256:${createHash('sha256').update(Buffer.from(publicKey.split(' ')[1] ?? '', 'base64')).digest('base64').replace(/=+$/, '')}`

const MAGIC = 'SSHSIG'
const VERSION = Buffer.from([0, 0, 0, 1])
const HASH = 'sha512'
const LINE = 70

/** Signs as `ssh-keygen -Y sign -n NAMESPACE` does (openssh/PROTOCOL.sshsig), armoured. `privateKey` is an Ed25519 key. */
export const signSsh = (privateKey: KeyObject, namespace: string, message: Buffer): string => {
  const digest = createHash(HASH).update(message).digest()
  const about = [field(namespace), field(''), field(HASH)]
  const signature = sign(null, Buffer.concat([Buffer.from(MAGIC), ...about, field(digest)]), privateKey)
  const blob = Buffer.concat([Buffer.from(MAGIC), VERSION, field(keyBlob(privateKey)), ...about, field(Buffer.concat([field(KIND), field(signature)]))])
  const lines = blob.toString('base64').match(new RegExp(`.{1,${LINE}}`, 'g')) ?? []
  return `-----BEGIN SSH SIGNATURE-----\n${lines.join('\n')}\n-----END SSH SIGNATURE-----\n`
}
