/** Words that speak to the model about anything but what they stand in. Matched on text in small letters with single spaces. */
export const INSTRUCTIONS: readonly { readonly says: RegExp; readonly reason: string }[] = [
  { says: /\b(ignore|disregard|forget|override)\b.{0,40}\b(previous|prior|above|earlier|all other|preceding|system)\b.{0,40}\b(instruction|prompt|rule|message|direction|context)/, reason: 'tells the model to ignore its instructions' },
  { says: /<\/?(important|system|secret|hidden|instructions?|assistant|admin)\b[^>]{0,40}>/, reason: 'has a tag that imitates a prompt' },
  { says: /\b(do not|don't|never|without)\b.{0,30}\b(tell|telling|mention|mentioning|inform|informing|reveal|show|notify|notifying|asking|alert)\b.{0,30}\b(the )?(user|human|person|developer)\b/, reason: 'tells the model to keep something from the user' },
]

/** One of these is in everything that INSTRUCTIONS find: one quick look spares ordinary text the slow one. */
const HINTS = /ignor|disregard|forget|overrid|<|do not|don't|never|without/
/** Letters that show nothing and spell ASCII, and characters that show another order than is there. */
const HIDDEN = /[\u{E0000}-\u{E007F}\u202a-\u202e\u2066-\u2069]/u
/** More is not looked through. */
const MAX_TEXT = 1_000_000

/** What in a text that somebody else wrote tries to instruct the agent that reads it; empty when nothing does. */
export const instructionsIn = (text: string): string[] => {
  const small = text.slice(0, MAX_TEXT).toLowerCase()
  const reasons = HIDDEN.test(small) ? ['has characters that cannot be seen'] : []
  const plain = small.normalize('NFKC')
  if (!HINTS.test(plain)) return reasons
  const spaced = plain.replaceAll(/\s+/g, ' ')
  return [...reasons, ...INSTRUCTIONS.filter(({ says }) => says.test(spaced)).map(({ reason }) => reason)]
}
