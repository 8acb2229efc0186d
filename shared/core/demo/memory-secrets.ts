import type { Clock, SecretStore } from '../ports.ts'

/** A secret store that is gone with the process: holds the guided session's key, which opens nothing. */
export const createMemorySecrets = (clock: Clock, initial: Readonly<Record<string, string>>): SecretStore => {
  const values = new Map(Object.entries(initial))
  const createdAt = clock.now()
  return {
    get: (name) => Promise.resolve(values.get(name) ?? null),
    set: (name, value) => Promise.resolve(void values.set(name, value)),
    remove: (name) => Promise.resolve(values.delete(name)),
    list: () => Promise.resolve([...values.keys()].map((name) => ({ name, createdAt }))),
  }
}
