import { useState } from 'react'
import { visibleText } from '../../../shared/domain/visible-text.ts'
import { useLive, useQuery } from '../../connection/hooks.ts'
import { Field } from '../../ui/basics.tsx'

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

export const ScopeFields = ({ scope, onChange }: { scope: Scope; onChange(scope: Scope): void }) => {
  const profiles = useQuery('profile/list', {}).data?.profiles ?? []
  const folders = useLive((snapshot) => snapshot.sessions).map(({ cwd }) => cwd)
  return (
    <div className="pair" style={{ maxWidth: 640 }}>
      <Field label="Profile">
        {(id) => (
          <select id={id} className="input" style={{ width: '100%' }} value={scope.profile} onChange={(event) => onChange({ ...scope, profile: event.target.value })}>
            <option value="">default, or the built-in rules</option>
            {profiles.filter(({ problem }) => problem === null).map(({ name }) => (
              <option key={name} value={name}>
                {visibleText(name)}
              </option>
            ))}
          </select>
        )}
      </Field>
      <Field label="Folder">
        {(id) => (
          <>
            <input id={id} className="input mono" list={`${id}-known`} spellCheck={false} placeholder="any" value={scope.cwd} onChange={(event) => onChange({ ...scope, cwd: event.target.value.trim() })} />
            <datalist id={`${id}-known`}>
              {[...new Set(folders)].map((folder) => (
                <option key={folder} value={folder} />
              ))}
            </datalist>
          </>
        )}
      </Field>
    </div>
  )
}
