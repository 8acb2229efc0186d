/**
 * The words of a command as typed: separated by spaces, with quotes and backslashes as in a shell, and nothing else of
 * one. No shell ever runs it.
 */
export const splitCommand = (line: string): readonly string[] => {
  const words: string[] = []
  const pattern = /\s*((?:'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^\s'"\\])+)/gy
  for (let match = pattern.exec(line); match !== null; match = pattern.exec(line)) {
    words.push(
      (match[1] ?? '').replaceAll(/'([^']*)'|"((?:\\.|[^"\\])*)"|\\(.)/g, (_whole, single?: string, double?: string, escaped?: string) => single ?? double?.replaceAll(/\\(.)/g, '$1') ?? escaped ?? ''),
    )
  }
  return words
}
