/** On or off, with a name of its own for who does not see it. */
export const Switch = ({ label, on, disabled = false, onChange }: { label: string; on: boolean; disabled?: boolean; onChange(on: boolean): void }) => (
  <button type="button" role="switch" aria-checked={on} aria-label={label} className="switch" disabled={disabled} onClick={() => onChange(!on)}>
    <span aria-hidden="true" />
  </button>
)
