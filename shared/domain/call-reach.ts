import { z } from 'zod'

/** Tools that change one file, which their input names, and nothing else; the agent does it by itself. */
const Path = z.string().max(4_096).regex(/^\//)
const OneFile = z.union([z.object({ file_path: Path }), z.object({ notebook_path: Path })])
const ONE_FILE_TOOLS: ReadonlySet<string> = new Set(['Write', 'Edit', 'MultiEdit', 'NotebookEdit'])

/** The one file that a call can change, absolute; null when it may be any. */
export const fileOfCall = (tool: string, input: unknown): string | null => {
  const named = ONE_FILE_TOOLS.has(tool) ? OneFile.safeParse(input) : null
  if (named?.success !== true) return null
  return 'file_path' in named.data ? named.data.file_path : named.data.notebook_path
}

/** Whether all that a call does is done by processes that it starts, and nothing by the agent itself or by a server. */
export const worksByProcesses = (tool: string): boolean => tool === 'Bash'
