/** Characters that change how a terminal or a page shows what stands around them, or that show nothing at all. */
const UNSEEN =
  /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]|(?! )\p{Zs}/gu
const SEEN = new Set(['\n', '\t'])

/**
 * The text with nothing hidden in it: control, bidirectional and invisible characters are written as `\u{…}`, so that
 * what a person reads is what is there. Line feeds and tabs stay.
 */
export const visibleText = (text: string): string =>
  text.replace(UNSEEN, (character) => (SEEN.has(character) ? character : `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`))
