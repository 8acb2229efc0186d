/** The lines of `strace -f -o`, without their thread: calls of several can come in halves, and each stands whole where it ended. */
export const wholeCalls = (trace: string): string[] => {
  const begun = new Map<string, string>()
  return trace.split('\n').flatMap((line) => {
    const [, thread = '', text = ''] = /^(\d+) +(.*)$/.exec(line) ?? []
    if (text.endsWith(' <unfinished ...>')) {
      begun.set(thread, text.slice(0, -' <unfinished ...>'.length))
      return []
    }
    const [, rest] = /^<\.\.\. \w+ resumed>(.*)$/.exec(text) ?? []
    return [rest === undefined ? text : `${begun.get(thread) ?? ''}${rest}`]
  })
}
