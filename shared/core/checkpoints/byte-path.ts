/** A path as bytes, one UTF-16 unit each: file names on Linux need not be valid UTF-8, and a checkpoint loses none. */
export const fromText = (text: string): string => Buffer.from(text, 'utf8').toString('latin1')

/** For a person: what is not valid UTF-8 is shown as a replacement mark. */
export const toText = (bytes: string): string => Buffer.from(bytes, 'latin1').toString('utf8')

/** What node's file functions take. */
export const toNative = (bytes: string): string | Buffer => (/[\x80-\xff]/.test(bytes) ? Buffer.from(bytes, 'latin1') : bytes)

/** The way git reads a path on a line of its own. */
export const quoteLine = (bytes: string): string =>
  /^"|\n/.test(bytes)
    ? `"${bytes.replace(/[\x00-\x1f"\\\x7f-\xff]/g, (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`)}"`
    : bytes
