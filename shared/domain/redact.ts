import { createFinder, type Span } from './find-all.ts'
import { tokenSpans } from './token-shapes.ts'

/** What stands where a secret stood. */
export const REDACTED = '[redacted]'

export interface Redaction {
  readonly text: string
  /** How many places were replaced. */
  readonly count: number
}

export type Redactor = (text: string) => Redaction

/** Encoded forms shorter than this would match what is no secret; the value itself is replaced whatever its length. */
const MIN_ENCODED_LENGTH = 6

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

const utf8Bytes = (text: string): number[] =>
  [...encodeURIComponent(text.toWellFormed()).matchAll(/%([0-9A-F]{2})|./gs)].map(([character, hex]) =>
    hex === undefined ? character.charCodeAt(0) : Number.parseInt(hex, 16),
  )

/**
 * How base64 (RFC 4648) shows these bytes when `before` other bytes stand in front of them: the characters that depend
 * on them alone, and those with the last one that has only bits of theirs when nothing follows.
 */
const base64Forms = (bytes: readonly number[], before: number): string[] => {
  const padded = [...Array<number>(before).fill(0), ...bytes]
  let text = ''
  for (let bit = 0; bit < padded.length * 8; bit += 6) {
    const pair = ((padded[bit >> 3] ?? 0) << 8) | (padded[(bit >> 3) + 1] ?? 0)
    text += BASE64.charAt((pair >> (10 - (bit & 7))) & 63)
  }
  const start = Math.ceil((before * 8) / 6)
  return [text.slice(start, Math.floor((padded.length * 8) / 6)), text.slice(start)]
}

const lowerCaseEscapes = (text: string): string => text.replace(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase())

const encodedForms = (secret: string): string[] => {
  const bytes = utf8Bytes(secret)
  const hex = bytes.map((byte) => byte.toString(16).padStart(2, '0')).join('')
  const base64 = [0, 1, 2].flatMap((before) => base64Forms(bytes, before))
  const url = encodeURIComponent(secret.toWellFormed())
  const form = url
    .replaceAll('%20', '+')
    .replace(/[!'()~]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
  const json = JSON.stringify(secret).slice(1, -1)
  return [
    hex,
    hex.toUpperCase(),
    ...base64,
    ...base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_')),
    ...[url, form].flatMap((text) => [text, lowerCaseEscapes(text)]),
    json,
    json.replaceAll('/', '\\/'),
    JSON.stringify(json).slice(1, -1),
  ].filter((text) => text.length >= MIN_ENCODED_LENGTH)
}

/** Line breaks, as they are or escaped in JSON, with the indentation after them. */
const LINE_BREAKS = /(?:(?:\r?\n|\\r\\n|\\n)[ \t]*)+/g

/** Where a form stands with line breaks inside it, as base64 is often wrapped. */
const wrappedSpans = (text: string, find: (text: string) => Span[]): Span[] => {
  const pieces: string[] = []
  /** For each piece: where it begins in the joined text, and how much was taken out before it. */
  const starts: number[] = [0]
  const taken: number[] = [0]
  let end = 0
  let length = 0
  LINE_BREAKS.lastIndex = 0
  for (let match = LINE_BREAKS.exec(text); match !== null; match = LINE_BREAKS.exec(text)) {
    pieces.push(text.slice(end, match.index))
    length += match.index - end
    end = LINE_BREAKS.lastIndex
    starts.push(length)
    taken.push(end - length)
  }
  if (pieces.length === 0) return []
  const joined = pieces.join('') + text.slice(end)
  const original = (position: number): number => {
    let [low, high] = [0, starts.length - 1]
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if ((starts[middle] ?? 0) <= position) low = middle
      else high = middle - 1
    }
    return position + (taken[low] ?? 0)
  }
  return find(joined).map((span) => ({ start: original(span.start), end: original(span.end - 1) + 1 }))
}

/**
 * Replaces every place of a text where one of the secrets stands, as it is or in base64 (also inside a longer encoded
 * text, also the URL alphabet), hex, URL-encoded, or escaped in JSON once or twice. Places that overlap become one. An
 * empty secret matches nothing. Line breaks within are overlooked; tokens of a shape that is known go too, whether or not
 * they are among the secrets. Other encodings, and a secret cut in two, it does not find.
 */
export const createRedactor = (secrets: readonly string[]): Redactor => {
  const forms = [
    ...new Set(secrets.filter((secret) => secret !== '').flatMap((secret) => [secret, ...encodedForms(secret)])),
  ]
  const find = createFinder(forms)
  return (text) => {
    const spans = [...find(text), ...(forms.length === 0 ? [] : wrappedSpans(text, find)), ...tokenSpans(text)].sort((a, b) => a.start - b.start)
    if (spans.length === 0) return { text, count: 0 }
    let result = ''
    let count = 0
    let end = 0
    for (const span of spans) {
      if (count === 0 || span.start >= end) {
        result += text.slice(end, span.start) + REDACTED
        count += 1
      }
      end = Math.max(end, span.end)
    }
    return { text: result + text.slice(end), count }
  }
}
