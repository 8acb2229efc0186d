import { Dialog as Modal, DialogDismiss, DialogHeading } from '@ariakit/react/dialog'
import type { ReactNode } from 'react'

/**
 * A question over the page, which is out of reach meanwhile. It holds the focus and gives it back to where it came from;
 * Escape closes it, a click beside it does not: what was typed is not lost by a slip.
 */
export const Dialog = ({ title, wide = false, onClose, children }: { title: string; wide?: boolean; onClose(): void; children: ReactNode }) => (
  <Modal open onClose={onClose} hideOnInteractOutside={false} backdrop={<div className="backdrop" />} className={`dialog${wide ? ' wide' : ''}`}>
    <DialogHeading render={<h2 />}>{title}</DialogHeading>
    {children}
    <DialogDismiss className="dismiss" aria-label="Close">
      <svg viewBox="0 0 16 16" stroke="currentColor" strokeWidth="1.5" aria-hidden="true">
        <path d="M3 3l10 10M13 3L3 13" />
      </svg>
    </DialogDismiss>
  </Modal>
)
