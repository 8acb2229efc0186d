/** Whether truncate(2) alone can have made a text of another: the beginning of it, or all of it, and nothing after that but zeros. */
export const isCutOf = (before: Uint8Array, after: Uint8Array): boolean => {
  let at = 0
  while (at < after.length && after[at] === before[at]) at += 1
  while (at < after.length && after[at] === 0) at += 1
  return at === after.length
}
