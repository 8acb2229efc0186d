import type { ComponentProps } from 'react'

/** `primary` is the one thing a page is for, `danger` takes something away, `stop` ends or destroys, `plain` is quiet. */
type ButtonKind = 'normal' | 'primary' | 'danger' | 'stop' | 'plain'

/** Does something here and now. The browser's own `button`: nothing holds keys, focus and forms better. */
export const Button = ({ kind = 'normal', big = false, ...props }: ComponentProps<'button'> & { kind?: ButtonKind; big?: boolean }) => (
  <button type="button" {...props} className={`button ${kind}${big ? ' big' : ''}`} />
)

/** Leads to another page, and looks as a button does. */
export const ButtonLink = ({ kind = 'normal', ...props }: ComponentProps<'a'> & { kind?: ButtonKind }) => <a {...props} className={`button ${kind}`} />

/** One of a list of choices, over its whole width. */
export const Choice = (props: ComponentProps<'button'>) => <button type="button" {...props} className={`choice${props.className === undefined ? '' : ` ${props.className}`}`} />
