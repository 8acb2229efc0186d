/** Micro-dollars as dollars with the digits that matter: `$1.24`, and below ten cents up to four, `$0.0031`. */
export const formatUsd = (microUsd: number): string => {
  if (microUsd > 0 && microUsd < 100) return '<$0.0001'
  const dollars = microUsd / 1_000_000
  return `$${microUsd < 100_000 ? dollars.toFixed(4).replace(/0{1,2}$/, '') : dollars.toFixed(2)}`
}

/** A duration in words as short as they stay exact enough: `340 ms`, `12 s`, `3 min`, `2 h 5 min`, `4 d`. */
export const formatDuration = (ms: number): string => {
  if (ms < 1_000) return `${Math.round(ms)} ms`
  const seconds = Math.round(ms / 1_000)
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  return hours < 48 ? `${hours} h${minutes % 60 === 0 ? '' : ` ${minutes % 60} min`}` : `${Math.floor(hours / 24)} d`
}

/** A count with thin separators: `1,204,551`. */
export const formatCount = (count: number): string => String(count).replace(/\B(?=(\d{3})+$)/g, ',')

/** A count with its word: `1 file`, `2 files`, `0 processes`. */
export const plural = (count: number, one: string, many = `${one}s`): string => `${formatCount(count)} ${count === 1 ? one : many}`

/** Bytes in the largest unit that leaves a whole number before the point: `312 B`, `4.1 KiB`, `31.2 MiB`. */
export const formatBytes = (bytes: number): string => {
  const power = Math.min(4, Math.floor(Math.log2(Math.max(1, bytes)) / 10))
  return power === 0 ? `${bytes} B` : `${(bytes / 1024 ** power).toFixed(1)} ${['B', 'KiB', 'MiB', 'GiB', 'TiB'][power]}`
}
