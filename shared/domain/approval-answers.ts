/** What one answer to a question is called, and what it does. */
export interface AnswerWords {
  readonly label: string
  readonly hint: string
}

const CALL = {
  once: { label: 'Approve once', hint: 'This call runs, and the next one asks again.' },
  session: { label: 'Approve for this session', hint: 'Exactly this call runs, and may again until the session ends.' },
}

const HOST = {
  once: { label: 'Approve for one minute', hint: 'Connections to this host that are opened within a minute; the next one asks again.' },
  session: { label: 'Approve for this session', hint: 'Connections to this host and port until the session ends.' },
}

/** What the two ways to approve mean for a tool's calls: a connection takes several to the same host. */
export const approvalWords = (tool: string): Readonly<Record<'once' | 'session', AnswerWords>> => (tool === 'Network' ? HOST : CALL)
