import { BlockList, isIPv4, isIPv6 } from 'node:net'

export interface Address {
  /** A host name, or an IP address without brackets. */
  readonly host: string
  readonly port: number
}

export type AddressResult = { kind: 'ok'; value: Address } | { kind: 'malformed'; reason: string }

const PORT_MAX = 65_535
// RFC 1035 section 2.3.4; the underscore is not in RFC 1123, but in use.
const NAME_MAX_CHARACTERS = 253
const LABEL = /^(?!-)[A-Za-z0-9_-]{1,63}(?<!-)$/

const UNBRACKETED = 'an IPv6 address stands in brackets before its port, as in [2001:db8::1]:6514'

const LOOPBACK = new BlockList()
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4')
LOOPBACK.addAddress('::1', 'ipv6')

/**
 * Reads `host:port`, `192.0.2.1:port` or `[v6]:port`. The host is always given: `0.0.0.0` or `[::]` for every interface.
 * @param lowestPort 0 where "any free port" makes sense, that is for a listener
 */
export function parseAddress(text: string, lowestPort: 0 | 1 = 1): AddressResult {
  if (isIPv6(text)) return malformed(UNBRACKETED)
  const bracketed = /^\[([^\]]*)\](.*)$/.exec(text)
  const colon = text.lastIndexOf(':')
  const host = bracketed?.[1] ?? (colon < 0 ? text : text.slice(0, colon))
  const rest = bracketed?.[2] ?? (colon < 0 ? '' : text.slice(colon))
  if (host === '') return malformed('the host is empty; 0.0.0.0 or [::] means every interface')
  const wrong = bracketed === null ? faultOfHost(host) : isIPv6(host) ? undefined : 'the text in brackets is not an IPv6 address'
  if (wrong !== undefined) return malformed(wrong)
  if (rest === '' || rest === ':') return malformed('the port is missing')
  const port = /^:(0|[1-9]\d{0,5})$/.exec(rest)?.[1]
  if (port === undefined || Number(port) < lowestPort || Number(port) > PORT_MAX) {
    return malformed(`the port is not a number from ${lowestPort} to ${PORT_MAX}`)
  }
  return { kind: 'ok', value: { host, port: Number(port) } }
}

/** The text that parseAddress reads. */
export function formatAddress(address: Address): string {
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`
}

/** Whether a host is this machine by its spelling alone: 127.0.0.0/8, ::1, their IPv4-mapped form, or `localhost`. Resolves nothing. */
export function isLoopback(host: string): boolean {
  if (isIPv4(host)) return LOOPBACK.check(host, 'ipv4')
  if (isIPv6(host)) return !host.includes('%') && LOOPBACK.check(host, 'ipv6')
  return host.toLowerCase() === 'localhost'
}

function faultOfHost(host: string): string | undefined {
  if (isIPv4(host)) return undefined
  if (host.includes(':')) {
    return isIPv6(host) ? UNBRACKETED : 'more than one colon outside brackets'
  }
  const labels = host.replace(/\.$/, '').split('.')
  if (/^\d+$/.test(labels.at(-1) ?? '')) return 'the host is not an IPv4 address'
  if (host.length > NAME_MAX_CHARACTERS || !labels.every((label) => LABEL.test(label))) return 'the host is not a host name'
  return undefined
}

function malformed(reason: string): AddressResult {
  return { kind: 'malformed', reason }
}
