/** Longest input, as JSON, that is listed whole once it is not needed any more. */
const MAX_LISTED_CHARACTERS = 4_096

/** What is shown of an input of which `text`, as JSON, is too long. */
export const beginningOf = (text: string): unknown => ({ characters: text.length, beginning: text.slice(0, MAX_LISTED_CHARACTERS).toWellFormed() })

/** Of an input that is not needed any more, what a list shows. */
export const listedInput = (input: unknown): unknown => {
  const text = JSON.stringify(input ?? null)
  return text.length <= MAX_LISTED_CHARACTERS ? input : beginningOf(text)
}
