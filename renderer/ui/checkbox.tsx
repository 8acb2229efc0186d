import { Checkbox as Box } from '@ariakit/react/checkbox'

interface OnOrOff {
  readonly label: string
  readonly on: boolean
  readonly disabled?: boolean
  onChange(on: boolean): void
}

/** In or out, counting once something else is done with it. */
export const Checkbox = ({ label, on, disabled = false, onChange }: OnOrOff) => <Box className="check" aria-label={label} checked={on} disabled={disabled} onChange={() => onChange(!on)} />

/** On or off, counting at once. */
export const Switch = ({ label, on, disabled = false, onChange }: OnOrOff) => (
  <Box render={<button type="button" />} role="switch" className="switch" aria-label={label} checked={on} disabled={disabled} onChange={() => onChange(!on)}>
    <span aria-hidden="true" />
  </Box>
)
