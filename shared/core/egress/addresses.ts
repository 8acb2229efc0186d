import { BlockList, isIP } from 'node:net'

/** Ranges that are not on the public network (IANA special-purpose registries). */
const inward = new BlockList()
for (const [network, prefix] of [
  ['0.0.0.0', 8], ['10.0.0.0', 8], ['100.64.0.0', 10], ['127.0.0.0', 8], ['169.254.0.0', 16], ['172.16.0.0', 12], ['192.0.0.0', 24],
  ['192.168.0.0', 16], ['198.18.0.0', 15], ['224.0.0.0', 4], ['240.0.0.0', 4],
] as const) inward.addSubnet(network, prefix, 'ipv4')
for (const [network, prefix] of [['::', 127], ['64:ff9b::', 96], ['64:ff9b:1::', 48], ['2002::', 16], ['fc00::', 7], ['fe80::', 10], ['ff00::', 8]] as const) {
  inward.addSubnet(network, prefix, 'ipv6')
}

/** An IPv4 address written as IPv6 (`::ffff:127.0.0.1`) as what it is. */
const unmapped = (address: string): string => /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address

/** Whether an address leads to this machine or the network it is in, and not out: also every way to write one as IPv6. */
export const isInward = (address: string): boolean => {
  const plain = unmapped(address)
  const family = isIP(plain)
  if (family === 0) return true
  return inward.check(plain, family === 4 ? 'ipv4' : 'ipv6')
}
