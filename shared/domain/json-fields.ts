/** An object of JSON, whatever is in it. */
export type Fields = Readonly<Record<string, unknown>>

export const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value)

/** A list's objects; none where it is no list. */
export const fieldsIn = (value: unknown): readonly Fields[] => (Array.isArray(value) ? (value as unknown[]).filter(isFields) : [])

export const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')
