import { Disclosure as Opener, DisclosureContent, DisclosureProvider } from '@ariakit/react/disclosure'
import type { ReactNode } from 'react'

/** More on something, folded until it is asked for. */
export const Disclosure = ({ summary, children }: { summary: ReactNode; children: ReactNode }) => (
  <DisclosureProvider>
    <div className="disclosure">
      <Opener className="summary">{summary}</Opener>
      <DisclosureContent className="stack tight">{children}</DisclosureContent>
    </div>
  </DisclosureProvider>
)
