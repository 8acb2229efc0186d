/** Whether a variable is on the list; an entry that ends in `*` stands for all names that begin so. */
export const passesEnv = (patterns: readonly string[], name: string): boolean =>
  patterns.some((pattern) => (pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern))

/** The variables on the list, and no others. */
export const pickEnv = (patterns: readonly string[], env: Readonly<Record<string, string | undefined>>): Record<string, string> => {
  const picked: Record<string, string> = {}
  for (const [name, value] of Object.entries(env)) if (value !== undefined && passesEnv(patterns, name)) picked[name] = value
  return picked
}
