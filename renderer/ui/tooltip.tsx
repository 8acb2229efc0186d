import { Tooltip as Bubble, TooltipAnchor, TooltipProvider } from '@ariakit/react/tooltip'
import { useId, type ReactElement } from 'react'

/** What a control does beyond its name: under the pointer, on focus, and read out after the name. Escape hides it. */
export const Tooltip = ({ text, children }: { text: string; children: ReactElement }) => {
  const id = useId()
  return (
    <TooltipProvider>
      <TooltipAnchor render={children} aria-describedby={id} />
      <span id={id} hidden>
        {text}
      </span>
      <Bubble className="tooltip" aria-hidden="true">
        {text}
      </Bubble>
    </TooltipProvider>
  )
}
