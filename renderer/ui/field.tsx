import { useId, type ComponentProps, type ReactNode } from 'react'

/** How a control is named: above it with a hint below, or, `bare`, for a screen reader alone where the place says it. */
export interface Named {
  readonly label: string
  readonly hint?: ReactNode
  readonly bare?: boolean
}

const Framed = ({ label, hint, bare = false, children }: Named & { children(names: { id?: string; 'aria-label'?: string; 'aria-describedby'?: string | undefined }): ReactNode }) => {
  const id = useId()
  if (bare) return children({ 'aria-label': label })
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children({ id, 'aria-describedby': hint === undefined ? undefined : `${id}-hint` })}
      {hint !== undefined && <Hint of={id} text={hint} />}
    </div>
  )
}

/** What stands under a control, and is read out with it. */
export const Hint = ({ of, text }: { of: string; text: ReactNode }) => (
  <p className="hint" id={`${of}-hint`}>
    {text}
  </p>
)

interface Typed extends Named {
  readonly value: string | number
  /** For what machines read: paths, commands, rules. */
  readonly mono?: boolean
  onChange(text: string): void
}

/** A line to type in. `suggestions` are offered, and bind nobody. */
export const TextField = ({ label, hint, bare, mono = false, suggestions, onChange, ...props }: Typed & { suggestions?: readonly string[] } & Omit<ComponentProps<'input'>, keyof Typed | 'className' | 'list'>) => {
  const list = useId()
  return (
    <Framed label={label} hint={hint} {...(bare === undefined ? {} : { bare })}>
      {(names) => (
        <>
          <input {...props} {...names} {...(suggestions === undefined ? {} : { list })} spellCheck={!mono && undefined} className={`input${mono ? ' mono' : ''}`} onChange={(event) => onChange(event.target.value)} />
          {suggestions !== undefined && (
            <datalist id={list}>
              {suggestions.map((one) => (
                <option key={one} value={one} />
              ))}
            </datalist>
          )}
        </>
      )}
    </Framed>
  )
}

/** Several lines to type in; `tall` takes most of the window. */
export const TextArea = ({ label, hint, bare, mono = false, tall = false, onChange, ...props }: Typed & { tall?: boolean } & Omit<ComponentProps<'textarea'>, keyof Typed | 'className'>) => (
  <Framed label={label} hint={hint} {...(bare === undefined ? {} : { bare })}>
    {(names) => <textarea {...props} {...names} spellCheck={!mono && undefined} className={`input${mono ? ' mono' : ''}${tall ? ' whole' : ''}`} onChange={(event) => onChange(event.target.value)} />}
  </Framed>
)
