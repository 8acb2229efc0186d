import type { PolicyEffect } from '../../contract/schemas/tool-call.ts'
import type { Boundary } from './boundaries.ts'

/** Whether all that a boundary means would go as it says: forbidden is not let pass, allowed passes. Not, where nobody knows what it means. */
export const boundaryHolds = ({ kind, calls }: { readonly kind: Boundary['kind']; readonly calls: readonly { readonly effect: PolicyEffect }[] | null }): boolean =>
  calls !== null && calls.every(({ effect }) => (kind === 'forbidden' ? effect !== 'allow' : effect === 'allow'))
