import { Select as Opener, SelectItem, SelectLabel, SelectPopover, SelectProvider } from '@ariakit/react/select'
import { useId } from 'react'
import { Hint, type Named } from './field.tsx'

/** A value and the words for it, the value itself unless given. */
export type Option<Value extends string> = Value | { readonly value: Value; readonly name: string }

/**
 * One of several: opened by a click, Enter, Space or an arrow; typing goes to what begins so, opened or not. `wide` takes
 * the width there is.
 */
export const Select = <Value extends string>({ label, hint, bare = false, wide = !bare, value, of, onChange }: Named & { wide?: boolean; value: Value; of: readonly Option<Value>[]; onChange(value: NoInfer<Value>): void }) => {
  const id = useId()
  const options = of.map((one) => (typeof one === 'string' ? { value: one, name: one } : one))
  const chosen = options.find((one) => one.value === value)
  const parts = (
    <>
      <Opener className={`input select${wide ? ' wide' : ''}`} {...(bare ? { 'aria-label': label } : {})} aria-describedby={hint === undefined ? undefined : `${id}-hint`}>
        <span className="clip">{chosen?.name ?? value}</span>
        <span className="arrow" aria-hidden="true" />
      </Opener>
      <SelectPopover portal sameWidth={wide} gutter={4} className="popover" aria-label={label}>
        {options.map((one) => (
          <SelectItem key={one.value} value={one.value} className="option">
            {one.name}
          </SelectItem>
        ))}
      </SelectPopover>
    </>
  )
  return (
    <SelectProvider value={value} setValue={(next) => onChange(next as Value)}>
      {bare ? (
        parts
      ) : (
        <div className="field">
          <SelectLabel className="label">{label}</SelectLabel>
          {parts}
          {hint !== undefined && <Hint of={id} text={hint} />}
        </div>
      )}
    </SelectProvider>
  )
}
