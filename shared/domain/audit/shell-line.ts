/**
 * Whether a line of a shell's start-up file is one whole statement, so that it can be made a comment: no quote open at its
 * end, nothing continued on the next line, no second command behind it that would go along.
 */
export const canStandAlone = (line: string): boolean => {
  let quote = ''
  for (let index = 0; index < line.length; index += 1) {
    const character = line.charAt(index)
    if (character === '\\' && quote !== "'") {
      if (line.slice(index + 1).trim() === '') return false
      index += 1
    } else if (quote !== '') {
      if (character === quote) quote = ''
    } else if (character === '"' || character === "'") quote = character
    else if (character === '#' && /\s/.test(line.charAt(index - 1))) return true
    else if (/[;&{}]/.test(character) || (character === '<' && line.charAt(index + 1) === '<')) return false
  }
  return quote === ''
}
