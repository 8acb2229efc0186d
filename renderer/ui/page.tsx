import type { ReactNode } from 'react'

/** A page: its heading, what can be done on it, and the rest. `fill` takes the height of the window, and scrolls within. */
export const Page = ({ title, actions, fill = false, children }: { title: ReactNode; actions?: ReactNode; fill?: boolean; children: ReactNode }) => (
  <div className={`page${fill ? ' fill' : ''}`}>
    <header className="page-head">
      <h1 className="grow clip">{title}</h1>
      {actions}
    </header>
    {children}
  </div>
)

/**
 * The parts of a page. Links and no `tablist`: each part has an address of its own, which can be kept, opened beside and
 * gone back from.
 */
export const Tabs = ({ label, of, current }: { label: string; of: readonly { id: string; name: string; href: string }[]; current: string }) => (
  <nav className="tabs" aria-label={label}>
    {of.map(({ id, name, href }) => (
      <a key={id} href={href} aria-current={id === current ? 'page' : undefined}>
        {name}
      </a>
    ))}
  </nav>
)
