/**
 * What an agent wrote, fit for a native box, menu or notification: everything but plain ASCII is spelt out, so that no
 * invisible, reordering or look-alike character shows something else than what would run. Lines stay lines.
 */
export const plainText = (text: string): string =>
  text.replace(/[^\x20-\x7e\n]/gu, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`)

/** The same on one line, at most `max` characters. */
export const oneLine = (text: string, max = 60): string => {
  const line = plainText(text).replaceAll('\n', ' ')
  return line.length > max ? `${line.slice(0, max - 1)}…` : line
}

/** The same for a menu, which reads a single & as a mnemonic. */
export const menuLabel = (text: string, max = 60): string => oneLine(text, max).replaceAll('&', '&&')
