import { isIPv4 } from 'node:net'

const NAME_CHARACTERS = 253
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/

/**
 * The one spelling of a host name that is compared, and used in paths: lower case.
 * Undefined for what is no host name (RFC 1123, and the underscore that sites use): an empty label, a dot at either end, a dotted IPv4 address.
 */
export function normaliseName(name: string): string | undefined {
  if (name.length === 0 || name.length > NAME_CHARACTERS) return undefined
  // Not toLowerCase() alone: it would turn the Kelvin sign into a k.
  if (!/^[\x21-\x7e]+$/.test(name)) return undefined
  const lower = name.toLowerCase()
  return lower.split('.').every((label) => LABEL.test(label)) && !isIPv4(lower) ? lower : undefined
}

/** True for a host name in either case; `normaliseName` gives its one spelling. */
export function isHostName(name: string): boolean {
  return normaliseName(name) !== undefined
}

/** True for a host name, `*` (every name), and `*.` before a host name; there is no other wildcard. */
export function isNamePattern(pattern: string): boolean {
  return pattern === '*' || isHostName(pattern.startsWith('*.') ? pattern.slice(2) : pattern)
}

/**
 * Whether `name` is one that `pattern` stands for. `*.example.com` stands for exactly one label before `.example.com`.
 * False when either is malformed, so a mistake admits nobody.
 * @see RFC 5425 section 5.2
 */
export function matchesName(pattern: string, name: string): boolean {
  const wanted = normaliseName(name)
  if (wanted === undefined || !isNamePattern(pattern)) return false
  if (pattern === '*') return true
  const lower = pattern.toLowerCase()
  return lower.startsWith('*.') ? wanted.slice(wanted.indexOf('.') + 1) === lower.slice(2) && wanted.includes('.') : wanted === lower
}

/** Before the name of a host under which what it could not prove is kept apart. No host name holds a slash. */
export const UNVERIFIED = '_unverified/'

/** Whether `origin` is one that a holder of these patterns may bring: a host, or what a host could not prove. */
export function matchesOrigin(patterns: readonly string[], origin: string): boolean {
  const bare = origin.startsWith(UNVERIFIED) ? origin.slice(UNVERIFIED.length) : origin
  // In its one spelling, which every Loghop writes: another one would be another host to streams and files.
  return normaliseName(bare) === bare && patterns.some((pattern) => matchesName(pattern, bare))
}

/** The host name that belongs to an address alone: that of reverse look-ups, `7.2.0.192.in-addr.arpa` (RFC 1035 section 3.5, RFC 3596 section 2.5). */
export function reverseName(address: string): string {
  if (isIPv4(address)) return `${address.split('.').reverse().join('.')}.in-addr.arpa`
  const [head = '', tail] = address.split('::')
  const groups = (text: string | undefined): string[] => (text === undefined || text === '' ? [] : text.split(':'))
  const missing = tail === undefined ? 0 : 8 - groups(head).length - groups(tail).length
  const all = [...groups(head), ...Array<string>(missing).fill('0'), ...groups(tail)]
  const digits = all.map((group) => group.padStart(4, '0')).join('')
  return `${[...digits].reverse().join('.')}.ip6.arpa`
}
