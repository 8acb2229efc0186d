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

/** The same of what stands in one line, such as a path: a line break in it is written out too, so that it begins no line of its own. */
export const visibleLine = (text: string): string => visibleText(text).replaceAll('\n', String.raw`\u{a}`)
