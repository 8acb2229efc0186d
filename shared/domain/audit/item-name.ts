/** What the keychain item of a secret is called by default: who has it, and what it is there. */
export const itemName = (holder: string, setting: string): string =>
  `agent/${`${holder}-${setting}`.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-').replaceAll(/^-+|-+$/g, '').slice(0, 56) || 'secret'}`

/** The same name, or with a number where it is taken. */
export const freeName = (name: string, taken: ReadonlySet<string>): string => {
  for (let count = 2, free = name; ; count += 1) {
    if (!taken.has(free)) return free
    free = `${name}-${count}`
  }
}
