import type { ReactNode } from 'react'

/** A column by its head; `hidden` heads are for who does not see the page. */
export type Column = string | { readonly name: string; readonly className?: string; readonly hidden?: true }

/** A table with its name, which scrolls sideways by itself where it is too wide; `bare` within a panel that is there already. */
export const Table = ({ label, head, bare = false, children }: { label: string; head: readonly Column[]; bare?: boolean; children: ReactNode }) => (
  <div className={`table-wrap${bare ? '' : ' panel'}`} role="region" aria-label={label} tabIndex={0}>
    <table className="table">
      <thead>
        <tr>
          {head.map((column) => {
            const { name, className, hidden } = typeof column === 'string' ? { name: column } : column
            return (
              <th key={name} scope="col" className={className}>
                {hidden === true ? <span className="hidden-text">{name}</span> : name}
              </th>
            )
          })}
        </tr>
      </thead>
      <tbody>{children}</tbody>
    </table>
  </div>
)
