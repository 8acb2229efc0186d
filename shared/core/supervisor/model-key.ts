import { HoldfastError } from '../../contract/errors.ts'
import type { AgentAdapter } from '../agents/adapter.ts'
import { createBedrock } from '../gateway/bedrock.ts'
import type { CloudUpstream } from '../gateway/cloud-upstream.ts'
import { DEFAULT_MODEL_KEY, type AgentProfile } from '../policy/agent-profile.ts'
import type { SecretStore } from '../ports.ts'

/**
 * The key for model requests: from the keychain, or null when the agent signs in with a subscription of its own. Throws
 * HoldfastError `secret-unavailable` for a key that the profile names, when it is not there, then or later.
 */
export const keyResolver = async (secrets: SecretStore, profile: AgentProfile, key: string): Promise<() => Promise<string | null>> => {
  const required = profile.modelKey !== DEFAULT_MODEL_KEY || profile.cloud !== null
  const first = await secrets.get(key, profile.agent).catch((error: unknown) => {
    if (required) throw error
    return null
  })
  if (first === null) {
    if (required) throw new HoldfastError('secret-unavailable', `The profile names the key ${key}, and the keychain has none of that name. Keep it with: holdfast secret set ${key}`)
    return () => Promise.resolve(null)
  }
  return async () => {
    const value = await secrets.get(key, profile.agent)
    if (value === null) throw new HoldfastError('secret-unavailable', `The key ${key} is no longer in the keychain.`)
    return value
  }
}

/**
 * The cloud that the profile names; null where it names none. Throws HoldfastError `agent-refused` for an agent that
 * cannot use it, and `secret-unavailable` for a `key` that is no credential for it, or one that has ended.
 */
export const openCloud = (profile: AgentProfile, adapter: AgentAdapter, key: string | null, now: number): CloudUpstream | null => {
  if (profile.cloud === null) return null
  const { provider, region } = profile.cloud
  if (adapter.usesClouds !== true) throw new HoldfastError('agent-refused', `The profile has model.provider: ${provider}, which only Claude Code can use. Run this agent with another profile, or take model.provider out.`)
  const cloud = createBedrock({ region, keyName: profile.modelKey })
  cloud.headersFor({}, { key, baseUrl: cloud.baseUrl, path: '/', body: Buffer.alloc(0), now })
  return cloud
}
