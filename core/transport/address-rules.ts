import { isIP } from 'node:net'
import { type Network, Networks } from '../base/networks.ts'

/** What is counted as one source where nothing has been proven yet: an IPv4 address, or the 64 bits of an IPv6 address that a host does not choose itself. */
export function sourceOf(address: string): string {
  const bare = address.split('%', 1)[0]!
  if (isIP(bare) !== 6) return address
  const [head = '', tail] = bare.split('::')
  const groups = head === '' ? [] : head.split(':')
  const behind = tail === undefined || tail === '' ? 0 : tail.split(':').length + (tail.includes('.') ? 1 : 0)
  const missing = tail === undefined ? 0 : Math.max(0, 8 - groups.length - behind)
  const all = [...groups, ...Array<string>(missing).fill('0'), ...(tail ?? '').split(':')]
  return `${all
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`
}

export interface AddressLists {
  readonly allow: readonly Network[]
  readonly deny: readonly Network[]
  readonly proxy: readonly Network[]
}

/** From where connections are taken: what TCP wrappers and a firewall rule did. `deny` counts before `allow`; an empty `allow` is everyone. */
export class AddressRules {
  #allow!: Networks | undefined
  #deny!: Networks
  #proxy!: Networks

  constructor(lists: AddressLists) {
    this.use(lists)
  }

  /** From now on these lists count. */
  use(lists: AddressLists): void {
    this.#allow = lists.allow.length === 0 ? undefined : new Networks(lists.allow)
    this.#deny = new Networks(lists.deny)
    this.#proxy = new Networks(lists.proxy)
  }

  /** Which list keeps the address out, undefined when none does. */
  refusedBy(address: string): 'deny' | 'allow' | undefined {
    if (this.#deny.has(address)) return 'deny'
    return this.#allow === undefined || this.#allow.has(address) ? undefined : 'allow'
  }

  /** Whether what connects from there begins with a PROXY header. */
  isProxy(address: string): boolean {
    return this.#proxy.has(address)
  }
}
