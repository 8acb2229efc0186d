import { join } from 'node:path'
import { HoldfastError } from '../../contract/errors.ts'
import { readJson } from '../../domain/audit/sources.ts'
import type { PermissionEntry } from '../../domain/onboarding/import-policy.ts'
import { readText } from './read-project.ts'

const MAX_ENTRIES = 2_000

/** Claude Code's settings files, in its own order (https://code.claude.com/docs/en/settings): the user's, the project's, and the user's for this project. */
const SETTINGS: readonly (readonly [name: string, isUsers: boolean])[] = [
  ['settings.json', true],
  [join('.claude', 'settings.json'), false],
  [join('.claude', 'settings.local.json'), false],
]

const entriesOf = (text: string, path: string, isUsers: boolean): PermissionEntry[] => {
  const parsed = readJson(text)
  if (!parsed.ok) throw new HoldfastError('profile-invalid', `${path} ${parsed.problem}.`, { at: { file: path } })
  const { value, lineOf } = parsed.source
  const permissions = (value as { permissions?: unknown } | null)?.permissions
  if (typeof permissions !== 'object' || permissions === null) return []
  return Object.entries(permissions).flatMap(([kind, list]) =>
    (Array.isArray(list) ? list : [list]).slice(0, MAX_ENTRIES).map((one: unknown, index) => ({
      kind,
      text: typeof one === 'string' ? one : JSON.stringify(one),
      source: `${path}:${lineOf(['permissions', kind, ...(Array.isArray(list) ? [index] : [])]) ?? 1}`,
      isUsers,
    })),
  )
}

/** What Claude Code was permitted here: by the user's own settings, and by those of the project. Throws HoldfastError `profile-invalid`. */
export const readPermissions = async (cwd: string, claudeFolder: string): Promise<PermissionEntry[]> => {
  const found: PermissionEntry[] = []
  for (const [name, isUsers] of SETTINGS) {
    const folder = isUsers ? claudeFolder : cwd
    const text = await readText(folder, name, isUsers)
    if (text !== null) found.push(...entriesOf(text, isUsers ? join(folder, name) : name, isUsers))
  }
  return found
}
