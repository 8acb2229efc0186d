import { canonicalJson } from '../../domain/ledger-chain.ts'
import { ownText } from '../own-text.ts'

/** Longest input, as JSON, that is listed whole once it is not needed any more. */
const MAX_LISTED_CHARACTERS = 4_096

/** What is shown of an input of which `text`, as JSON, is too long. */
export const beginningOf = (text: string): unknown => ({ characters: text.length, beginning: ownText(text.slice(0, MAX_LISTED_CHARACTERS)) })

/** Of an input that is not needed any more, what a list shows. */
export const listedInput = (input: unknown): unknown => {
  const text = textOf(input)
  return text.length <= MAX_LISTED_CHARACTERS ? input : beginningOf(text)
}

/** Canonical JSON is made sooner than any other; what has none was denied. */
const textOf = (input: unknown): string => {
  try {
    return canonicalJson(input)
  } catch {
    return JSON.stringify(input ?? null)
  }
}
