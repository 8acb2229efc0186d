import type { LastMinute } from '../contract/schemas/session.ts'
import type { Usage } from '../contract/schemas/usage.ts'
import { formatUsd, plural } from './format.ts'
import { visibleText } from './visible-text.ts'

/** What was spent, as honestly as it is known. */
export const costText = (usage: Usage): string => {
  if (usage.requests === 0) return '-'
  const known = formatUsd(usage.costMicroUsd)
  const cost = usage.hasUnknownPrice ? (usage.costMicroUsd === 0 ? 'price unknown' : `${known} + unknown`) : known
  return usage.billing === 'subscription' ? `${cost} (API equivalent)` : cost
}

export const lastMinuteText = ({ requests, tokens, toolCalls }: LastMinute): string =>
  requests + tokens + toolCalls === 0 ? '-' : `${plural(tokens, 'token')}, ${plural(requests, 'request')}, ${plural(toolCalls, 'call')}`

/** Fields that say what a call does; they come first. */
const TELLING_FIELDS = ['command', 'file_path', 'notebook_path', 'path', 'url', 'sql', 'query']

const placeOf = (field: string): number => {
  const place = TELLING_FIELDS.indexOf(field)
  return place === -1 ? TELLING_FIELDS.length : place
}

/** A tool's input field by field with nothing hidden in it, the command or path first and nothing left out. */
export const inputFields = (input: unknown): { name: string; text: string }[] => {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return [{ name: '', text: visibleText(JSON.stringify(input) ?? '') }]
  return Object.entries(input)
    .toSorted(([a], [b]) => placeOf(a) - placeOf(b))
    .map(([name, value]) => ({ name: visibleText(name), text: visibleText(typeof value === 'string' ? value : (JSON.stringify(value) ?? '')) }))
}

/** The same as lines: `name: text`, further lines of a text indented. */
export const inputLines = (input: unknown): string[] =>
  inputFields(input).flatMap(({ name, text }) => {
    if (name === '') return text.split('\n')
    const [first = '', ...rest] = text.split('\n')
    return [`${name}: ${first}`, ...rest.map((line) => `    ${line}`)]
  })

/** A call in one line: what it does, without the rest. */
export const inputSummary = (input: unknown): string => inputFields(input)[0]?.text.replaceAll(/\s+/g, ' ').slice(0, 300) ?? ''
