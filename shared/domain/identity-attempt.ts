const SHOWN_CHARACTERS = 200

/** Ways to tell git who commits: by a variable, a setting or an option. Within one command, as far as that is told by text. */
const WAYS = [
  /\bGIT_(?:AUTHOR|COMMITTER)_(?:NAME|EMAIL)\s*=[^\n]*/,
  /\bgit\b[^\n;&|]*\bconfig\b[^\n;&|]*\b(?:user|author|committer)\.(?:name|email)['"]?\s+[^\s;&|][^\n]*/i,
  /\bgit\b[^\n;&|]*\s-c\s*['"]?(?:user|author|committer)\.(?:name|email)=[^\n]*/i,
  /\bgit\b[^\n;&|]*\s--author[=\s][^\n]*/,
]

/** What in a tool call's input names another author or committer than the session's own; null where nothing does. */
export const identityAttempt = (input: unknown): string | null => {
  const command = (input as { command?: unknown } | null)?.command
  if (typeof command !== 'string') return null
  for (const way of WAYS) {
    const found = way.exec(command)?.[0]
    if (found !== undefined && !/\bconfig\b[^\n;&|]*\s--(?:get|get-all|list|show-origin|unset)\b/.test(found)) return found.slice(0, SHOWN_CHARACTERS)
  }
  return null
}
