import { HoldfastError } from '../../contract/errors.ts'
import type { ContainerProvider } from '../ports.ts'

/**
 * The first of `providers`, best first, that works on this machine, and why those before it do not. Never one without
 * any hold: throws HoldfastError `container-unavailable`, saying what is missing and how to get it.
 */
export const chooseContainer = async (
  providers: readonly ContainerProvider[],
): Promise<{ provider: ContainerProvider; passedOver: string[] }> => {
  const passedOver: string[] = []
  for (const provider of providers) {
    const problem = await provider.unavailable()
    if (problem === null) return { provider, passedOver }
    passedOver.push(`${provider.kind}: ${problem}`)
  }
  throw new HoldfastError('container-unavailable', `No container works on this machine. ${passedOver.join(' ')}`)
}
