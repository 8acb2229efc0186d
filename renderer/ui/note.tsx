import type { ReactNode } from 'react'
import { visibleText } from '../../shared/domain/visible-text.ts'

/** Something to know, told to a screen reader as it appears; a fault at once. */
export const Note = ({ children, fault = false }: { children: ReactNode; fault?: boolean }) => (
  <div className={`note${fault ? ' fault' : ''}`} role={fault ? 'alert' : 'status'}>
    {children}
  </div>
)

/** A fault of the last action or question, if there was one. */
export const Fault = ({ text }: { text: string | null }) => (text === null ? null : <Note fault>{visibleText(text)}</Note>)

/** Where nothing is: why, and what to do about it. */
export const Empty = ({ title, children }: { title: string; children?: ReactNode }) => (
  <div className="empty">
    <h2>{title}</h2>
    {children}
  </div>
)
