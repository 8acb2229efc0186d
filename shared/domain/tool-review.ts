import { INSTRUCTIONS } from './instructing-text.ts'
import { nameWords } from './boundary/spelling.ts'

/** A tool's definition as its server gives it: JSON. */
export interface ReviewedTool {
  readonly name: string
  readonly [field: string]: unknown
}

export interface OtherServer {
  readonly name: string
  readonly tools: readonly string[]
}

/** Characters that show nothing, or another order than is there. A joiner between emoji is no such thing. */
const UNSEEN = /(?!\u200d)[\p{Cf}\p{Co}\p{Cn}\p{Zl}\p{Zp}\u{E0100}-\u{E01EF}\u115f\u1160\u3164\uffa0]|(?![\n\t\r])\p{Cc}|(?<!\p{Extended_Pictographic}\ufe0f?|\p{Emoji_Modifier})\u200d/u

/** What only a tool's definition has no business to say, on top of what no text should. */
const OUT_OF_PLACE: readonly { readonly says: RegExp; readonly reason: string }[] = [
  ...INSTRUCTIONS,
  { says: /\b(system prompt|jailbreak|developer mode)\b/, reason: 'speaks of the system prompt' },
  { says: /(~\/|\$home\/|\/home\/[^/ ]+\/|\/root\/)?\.(ssh|aws|gnupg|kube|netrc)\b|\bid_(rsa|ed25519|ecdsa)\b|\/etc\/(passwd|shadow)\b/, reason: 'names a place where keys are kept' },
  { says: /\b(before|after|when|whenever|prior to)\b.{0,40}\b(using|calling|running|invoking|use|call)\b.{0,20}\b(this|any|other|another|every)\b.{0,20}\btools?\b[^.]{0,80}\b(read|send|pass|call|include|post|upload|run|execute)\b/, reason: 'asks for something else to be done with the call' },
  { says: /\b(send|forward|upload|post|exfiltrate|bcc)\b.{0,60}\b(to|at)\b.{0,20}(https?:\/\/|[\w.+-]+@[\w-]+\.\w)/, reason: 'asks for something to be sent somewhere' },
]

const MAX_TEXT = 65_536
const MAX_DEPTH = 64

const textsIn = (value: unknown, depth = 0): string[] => {
  if (typeof value === 'string') return [value]
  if (typeof value !== 'object' || value === null || depth > MAX_DEPTH) return []
  return Object.entries(value).flatMap(([key, entry]) => [key, ...textsIn(entry, depth + 1)])
}

/** As a person may misread it: letters that look alike are one letter, separators are none. */
const skeleton = (name: string): string =>
  name.normalize('NFKC').toLowerCase().replaceAll('rn', 'm').replaceAll('vv', 'w').replaceAll(/[1i|!]/g, 'l').replaceAll('0', 'o').replaceAll('5', 's').replaceAll(/[^a-z]/g, '')

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')

const mentions = (text: string, name: string): boolean => new RegExp(`(?<![\\w-])${escaped(name)}(?![\\w-])`).test(text)

/** Whether a name says more than one word: a tool called `read` is not meant by every `read` in a text. */
const isTelling = (name: string): boolean => (nameWords(name)?.length ?? 2) > 1

/** What of a definition's text speaks to the model about other things than the tool; empty when nothing does. */
const hiddenInstructions = (tool: ReviewedTool, others: readonly OtherServer[]): string[] => {
  const whole = textsIn(tool).join('\n').slice(0, MAX_TEXT)
  const plain = whole.normalize('NFKC').toLowerCase().replaceAll(/\s+/g, ' ')
  const reasons = OUT_OF_PLACE.filter(({ says }) => says.test(plain)).map(({ reason }) => reason)
  if (UNSEEN.test(whole)) reasons.unshift('has characters that cannot be seen')
  const meant = others.find((other) => other.tools.some((name) => name !== tool.name && isTelling(name) && mentions(whole, name)))
  if (meant !== undefined) reasons.push(`speaks of a tool of the server ${meant.name}`)
  return reasons
}

/** Says whose tool a name may be taken for; null where nobody's. */
export const createImitationCheck = (others: readonly OtherServer[]): ((name: string) => string | null) => {
  const known = others.map(({ name, tools }) => {
    const alike = new Map<string, string[]>()
    for (const tool of tools) alike.set(skeleton(tool), [...(alike.get(skeleton(tool)) ?? []), tool])
    return { server: name, prefix: skeleton(name), alike }
  })
  return (name) => {
    const own = skeleton(name)
    const words = nameWords(name)?.join()
    for (const { server, prefix, alike } of known) {
      if (prefix.length > 2 && own.startsWith(prefix) && alike.has(own.slice(prefix.length))) return `has a name that imitates a tool of the server ${server}`
      if (alike.get(own)?.some((tool) => tool !== name && nameWords(tool)?.join() !== words)) return `has a name that looks like a tool of the server ${server}`
    }
    return null
  }
}

/**
 * Why a definition that nobody has accepted must not be used before a person has seen it; empty when it may be.
 * `known` says whether the server was used before: then a tool that was not there is a reason by itself. `others` are the
 * servers that the agent has beside; `imitation` may know of more.
 */
export const reviewTool = (
  tool: ReviewedTool,
  known: 'first use' | 'new tool' | 'changed',
  others: readonly OtherServer[],
  imitation = createImitationCheck(others),
): string[] => {
  const reasons = known === 'first use' ? [] : [known === 'changed' ? 'its definition has changed' : 'it was not there before']
  const imitated = imitation(tool.name)
  return [...reasons, ...(imitated === null ? [] : [imitated]), ...hiddenInstructions(tool, others)]
}
