import type { AgentWords } from '../contract/schemas/tool-call.ts'

const MAX_CHARACTERS = 8_192

export const NO_WORDS: AgentWords = { text: '', thinking: '' }

const withMore = (said: string, more: string): string => (said + more).slice(-MAX_CHARACTERS).toWellFormed()

/** What was said so far and what came then; of long ones the end is kept. */
export const addWords = (words: AgentWords, more: AgentWords): AgentWords => ({ text: withMore(words.text, more.text), thinking: withMore(words.thinking, more.thinking) })
