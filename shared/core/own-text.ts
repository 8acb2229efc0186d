/**
 * The same text by itself, as UTF-8 has it: a part of a text holds all of that in memory. For what is kept of something
 * that may be long.
 */
export const ownText = (text: string): string => Buffer.from(text).toString()
