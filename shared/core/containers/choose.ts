import { HoldfastError } from '../../contract/errors.ts'
import type { ContainerKind } from '../../contract/schemas/session.ts'
import type { ContainerProvider } from '../ports.ts'
import { createLinuxProvider } from './linux.ts'
import { createMacosProvider } from './macos.ts'
import { createPlainProvider } from './plain.ts'
import { createWindowsProvider } from './windows.ts'
import type { ContainerWrites } from './write-record.ts'

export interface ContainerChoice {
  readonly provider: ContainerProvider
  readonly kind: ContainerKind
}

/** The two ways to hold a session on one platform: with walls, and without. */
export interface ContainerPair {
  readonly contained: ContainerProvider
  readonly uncontained: ContainerProvider
  /** Told when what holds a session records nothing. */
  readonly writes?: Pick<ContainerWrites, 'miss'> | undefined
}

/** Windows has no walls yet. */
const NONE: ContainerProvider = {
  kind: 'windows',
  unavailable: async () => 'There is no container with walls for Windows yet.',
  launch: () => Promise.reject(new HoldfastError('container-unavailable', 'There is no container with walls for Windows yet.')),
}

/** `plainInit` is the program that is the first process of a plain container; `writes` records what the others write. */
export const containersFor = (platform: NodeJS.Platform, plainInit?: string, writes?: ContainerWrites): ContainerPair => {
  if (platform === 'darwin') return { contained: createMacosProvider(true), uncontained: createMacosProvider(false) }
  if (platform === 'win32') return { contained: NONE, uncontained: createWindowsProvider() }
  return { contained: createLinuxProvider(undefined, undefined, writes), uncontained: createPlainProvider(plainInit), writes }
}

/**
 * What holds a session. Only the user's own word `off` gets one without walls, which still can be frozen and killed:
 * `uncontained` is never a fallback. Throws HoldfastError `container-unavailable`, saying what is missing and how to
 * get it.
 */
export const chooseContainer = async (
  sandbox: 'auto' | 'off',
  { contained, uncontained, writes }: ContainerPair,
): Promise<ContainerChoice> => {
  const provider = sandbox === 'off' ? uncontained : contained
  if (sandbox === 'off') writes?.miss()
  const problem = await provider.unavailable()
  if (problem === null) return { provider, kind: sandbox === 'off' ? 'off' : provider.kind }
  const way = sandbox === 'off' ? '' : ' To start the agent all the same, able to reach everything that you can, say --no-sandbox.'
  throw new HoldfastError('container-unavailable', `No container works on this machine. ${problem}${way}`)
}
