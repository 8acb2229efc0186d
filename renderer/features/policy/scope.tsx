import { useState } from 'react'
import { visibleText } from '../../../shared/domain/visible-text.ts'
import { useLive, useQuery } from '../../connection/hooks.ts'
import { TextField } from '../../ui/field.tsx'
import { Select } from '../../ui/select.tsx'

/** Whose rules are meant: a profile, and the folder whose own file tightens it. */
export interface Scope {
  readonly profile: string
  readonly cwd: string
}

const KEY = 'policy-scope'

const readScope = (): Scope => {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEY) ?? '{}') as Partial<Record<keyof Scope, unknown>>
    return { profile: typeof kept.profile === 'string' ? kept.profile : '', cwd: typeof kept.cwd === 'string' ? kept.cwd : '' }
  } catch {
    return { profile: '', cwd: '' }
  }
}

export const useScope = (): [Scope, (scope: Scope) => void] => {
  const [scope, set] = useState(readScope)
  return [
    scope,
    (next) => {
      sessionStorage.setItem(KEY, JSON.stringify(next))
      set(next)
    },
  ]
}

export const scopeParams = ({ profile, cwd }: Scope) => ({ ...(profile === '' ? {} : { profile }), ...(cwd === '' ? {} : { cwd }) })

/** `withFolder`: for what is asked of one folder; past calls each have their own. */
export const ScopeFields = ({ scope, withFolder, onChange }: { scope: Scope; withFolder: boolean; onChange(scope: Scope): void }) => {
  const profiles = useQuery('profile/list', {}).data?.profiles ?? []
  const folders = useLive((snapshot) => snapshot.sessions).map(({ cwd }) => cwd)
  return (
    <div className="pair" style={{ maxWidth: 640 }}>
      <Select
        label="Profile"
        value={scope.profile}
        of={[{ value: '', name: 'default, or the built-in rules' }, ...profiles.filter(({ problem }) => problem === null).map(({ name }) => ({ value: name, name: visibleText(name) }))]}
        onChange={(profile) => onChange({ ...scope, profile })}
      />
      {withFolder && <TextField mono label="Folder" placeholder="any" suggestions={[...new Set(folders)]} value={scope.cwd} onChange={(cwd) => onChange({ ...scope, cwd: cwd.trim() })} />}
    </div>
  )
}
