export interface Launch {
  readonly cwd: string
  readonly command: string
  readonly profile: string
}

const KEY = 'recent-launches'
const MAX_RECENT = 8

export const readRecent = (): readonly Launch[] => {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEY) ?? '[]')
    return Array.isArray(kept) ? kept.filter((one): one is Launch => typeof one?.cwd === 'string' && typeof one.command === 'string' && typeof one.profile === 'string') : []
  } catch {
    return []
  }
}

export const keepRecent = (launched: Launch): void => {
  const others = readRecent().filter(({ cwd, command, profile }) => cwd !== launched.cwd || command !== launched.command || profile !== launched.profile)
  localStorage.setItem(KEY, JSON.stringify([launched, ...others].slice(0, MAX_RECENT)))
}
