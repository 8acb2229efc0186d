import { isAbsolute, resolve } from 'node:path'
import type { Fields } from '../../domain/json-fields.ts'
import { isWithin } from '../containers/mount-plan.ts'

/** A tool call under the name, and in the form, that rules and classes know it by: those of Claude Code's tools. */
export interface CanonicalCall {
  readonly tool: string
  readonly input: unknown
}

/** Gives a call as it came where it means nothing else; then it counts as a tool that nobody knows. */
export type Canonical = (tool: string, input: unknown, cwd: string) => CanonicalCall

/** For agents whose tools are Claude Code's, or are not seen. */
export const asItIs: Canonical = (tool, input) => ({ tool, input })

/** A field under another name; what else the call says stays with it. */
export const renamed = (input: Fields, from: string, to: string): Fields => {
  const { [from]: value, ...rest } = input
  return { ...rest, [to]: value }
}

/** Whether a command runs in the project: what is relative means something else elsewhere. */
export const runsInProject = (folder: unknown, cwd: string): boolean =>
  folder == null || (typeof folder === 'string' && (isAbsolute(folder) ? folder === cwd : resolve(cwd, folder) === cwd))

const PATCH_FILE = /^\*\*\* (Add|Update|Delete) File: (.+)$|^\*\*\* Move to: (.+)$/gm

/** A patch (Codex's form) that changes one file is an edit of that; one that deletes, moves or changes several stays what it is. */
export const patchAsEdit = (patch: unknown, cwd: string): CanonicalCall | null => {
  if (typeof patch !== 'string') return null
  const files = [...patch.matchAll(PATCH_FILE)]
  const [, kind, path] = files[0] ?? []
  if (files.length !== 1 || path === undefined || kind === 'Delete') return null
  const file = resolve(cwd, path.trim())
  return isWithin(file, cwd) ? { tool: 'Edit', input: { file_path: file, patch } } : null
}

