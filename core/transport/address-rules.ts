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

function blockList(networks: readonly Network[]): BlockList {
  const list = new BlockList()
  for (const { address, prefix, family } of networks) list.addSubnet(address, prefix, family)
  return list
}

function contains(list: BlockList, address: string): boolean {
  // A scope (`fe80::1%eth0`) is not part of the address.
  const bare = plainAddress(address.split('%', 1)[0]!)
  const version = isIP(bare)
  return version !== 0 && list.check(bare, version === 4 ? 'ipv4' : 'ipv6')
}

/** From where connections are taken: what TCP wrappers and a firewall rule did. `deny` counts before `allow`; an empty `allow` is everyone. */
export class AddressRules {
  readonly #allow: BlockList | undefined
  readonly #deny: BlockList
  readonly #proxy: BlockList

  constructor(lists: { readonly allow: readonly Network[]; readonly deny: readonly Network[]; readonly proxy: readonly Network[] }) {
    this.#allow = lists.allow.length === 0 ? undefined : blockList(lists.allow)
    this.#deny = blockList(lists.deny)
    this.#proxy = blockList(lists.proxy)
  }

  /** Which list keeps the address out, undefined when none does. */
  refusedBy(address: string): 'deny' | 'allow' | undefined {
    if (contains(this.#deny, address)) return 'deny'
    return this.#allow === undefined || contains(this.#allow, address) ? undefined : 'allow'
  }

  /** Whether what connects from there begins with a PROXY header. */
  isProxy(address: string): boolean {
    return contains(this.#proxy, address)
  }
}
