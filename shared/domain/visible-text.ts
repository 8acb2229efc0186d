/** Characters that change how a terminal or a page shows what stands around them, or that show nothing at all. */
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202f\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff]|[\u{e0000}-\u{e0fff}]|[\ud800-\udfff]/gu

/**
 * The text with nothing hidden in it: control, bidirectional and invisible characters are written as `\u{…}`, so that
 * what a person reads is what is there. Line feeds and tabs stay.
 */
export const visibleText = (text: string): string =>
  text.replace(UNSEEN, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`)
