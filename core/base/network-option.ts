import type { z } from 'zod'
import { type Network, parseNetwork } from './networks.ts'
import { textOption } from './option-kinds.ts'

export const NETWORK_ALLOWED = 'an IP address, or a network such as 192.0.2.0/24 or 2001:db8::/32'

/** Or the reason why it is none. */
export function readNetwork(text: string): { kind: 'network'; network: Network } | { kind: 'malformed'; reason: string } {
  const network = parseNetwork(text)
  return network === undefined ? { kind: 'malformed', reason: 'neither an address nor a network' } : { kind: 'network', network }
}

export const networkOption: z.ZodType<Network> = textOption({ sense: 'An address or a network', allowed: NETWORK_ALLOWED }, (text) => {
  const result = readNetwork(text)
  return result.kind === 'malformed' ? result : { value: result.network }
})
