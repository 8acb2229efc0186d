import type { Broker, BrokerDeps } from './create-broker.ts'

/** The broker, whose code is read with the first session: what MCP brings takes 12 MB, and time, that an idle host does not need. */
export const createLazyBroker = (deps: BrokerDeps): Broker => {
  let broker: Broker | null = null
  return {
    openSession: async (params) => {
      const { createBroker } = await import('./create-broker.ts')
      broker ??= createBroker(deps)
      return broker.openSession(params)
    },
    secretChanged: (name) => broker?.secretChanged(name),
    running: () => broker?.running() ?? [],
    isInsideServer: async (pid) => (await broker?.isInsideServer(pid)) ?? false,
  }
}
