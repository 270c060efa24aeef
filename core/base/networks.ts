// IP addresses and networks as people write them.

import { BlockList, isIP } from 'node:net'

/** One address, or a network as `192.0.2.0/24` or `2001:db8::/32`. */
export interface Network {
  readonly address: string
  readonly prefix: number
  readonly family: 'ipv4' | 'ipv6'
}

/** Undefined for what is neither an address nor a network. */
export function parseNetwork(text: string): Network | undefined {
  const [address = '', prefix, ...rest] = text.split('/')
  const version = isIP(address)
  if (version === 0 || rest.length > 0 || address.includes('%')) return undefined
  const most = version === 4 ? 32 : 128
  if (prefix !== undefined && !/^(?:0|[1-9]\d{0,2})$/.test(prefix)) return undefined
  const bits = prefix === undefined ? most : Number(prefix)
  return bits > most ? undefined : { address, prefix: bits, family: version === 4 ? 'ipv4' : 'ipv6' }
}

/** The address of a socket in the one spelling that is compared and shown: an IPv4 address as such, also where it came over an IPv6 socket. */
export function plainAddress(address: string): string {
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address
}

/** A BlockList for each family: one for both takes every IPv4 address for a part of `::/64`, by its mapped form. */
export class Networks {
  readonly #ipv4 = new BlockList()
  readonly #ipv6 = new BlockList()

  constructor(networks: readonly Network[]) {
    for (const { address, prefix, family } of networks) {
      const plain = plainAddress(address)
      if (family === 'ipv4') this.#ipv4.addSubnet(address, prefix, 'ipv4')
      else if (plain !== address && prefix >= 96) this.#ipv4.addSubnet(plain, prefix - 96, 'ipv4')
      else this.#ipv6.addSubnet(address, prefix, 'ipv6')
    }
  }

  has(address: string): boolean {
    // A scope (`fe80::1%eth0`) is not part of the address.
    const bare = plainAddress(address.split('%', 1)[0]!)
    const version = isIP(bare)
    if (version === 0) return false
    return version === 4 ? this.#ipv4.check(bare, 'ipv4') : this.#ipv6.check(bare, 'ipv6')
  }
}
