import { HoldfastError } from '../../contract/errors.ts'
import type { ContainerKind } from '../../contract/schemas/session.ts'
import type { ContainerProvider } from '../ports.ts'

export interface ContainerChoice {
  readonly provider: ContainerProvider
  readonly kind: ContainerKind
}

/**
 * What holds a session. Only the user's own word `off` gets one without walls, which still can be frozen and killed:
 * `uncontained` is never a fallback. Throws HoldfastError `container-unavailable`, saying what is missing and how to
 * get it.
 */
export const chooseContainer = async (
  sandbox: 'auto' | 'off',
  { contained, uncontained }: { readonly contained: ContainerProvider; readonly uncontained: ContainerProvider },
): Promise<ContainerChoice> => {
  const provider = sandbox === 'off' ? uncontained : contained
  const problem = await provider.unavailable()
  if (problem === null) return { provider, kind: sandbox === 'off' ? 'off' : provider.kind }
  const way = sandbox === 'off' ? '' : ' To start the agent all the same, able to reach everything that you can, say --no-sandbox.'
  throw new HoldfastError('container-unavailable', `No container works on this machine. ${problem}${way}`)
}
