import type { CertificateFacts } from './certificate.ts'

// Case is free before the digest; colons between the octets are optional. The last form is what `openssl x509 -fingerprint` prints.
const CERTIFICATE = /^(?:sha-?256:|sha256 fingerprint=)/i
const PUBLIC_KEY_HEX = /^spki-sha256:/i
// As in HPKP headers (RFC 7469) and in curl's --pinnedpubkey.
const PUBLIC_KEY_BASE64 = /^(?:spki-sha256\/|pin-sha256:|pin-sha256=|sha256\/\/)/i

function hexOctets(text: string): string | undefined {
  const hex = /^[0-9a-f]{2}(?::[0-9a-f]{2}){31}$/i.test(text) ? text.replaceAll(':', '') : text
  return /^[0-9a-f]{64}$/i.test(hex) ? hex : undefined
}

function base64Octets(text: string): string | undefined {
  const bare = text.replace(/^"(.*)"$/, '$1')
  const octets = Buffer.from(bare, 'base64')
  return octets.length === 32 && octets.toString('base64').replace('=', '') === bare.replace(/=$/, '') ? octets.toString('hex') : undefined
}

/**
 * The one spelling of a pin, as in CertificateFacts: `sha-256:AB:CD:...` of a certificate (also `sha256:` and hex, colons and case free)
 * or `spki-sha256:` and hex of a public key (also base64 after `spki-sha256/`, `pin-sha256:` or curl's `sha256//`). Undefined for anything else.
 */
export function normalisePin(text: string): string | undefined {
  const pin = text.trim()
  const after = (prefix: RegExp) => pin.slice(prefix.exec(pin)![0].length)
  if (PUBLIC_KEY_HEX.test(pin)) {
    const hex = hexOctets(after(PUBLIC_KEY_HEX))
    return hex === undefined ? undefined : `spki-sha256:${hex.toLowerCase()}`
  }
  if (PUBLIC_KEY_BASE64.test(pin)) {
    const hex = base64Octets(after(PUBLIC_KEY_BASE64))
    return hex === undefined ? undefined : `spki-sha256:${hex}`
  }
  if (CERTIFICATE.test(pin)) {
    const hex = hexOctets(after(CERTIFICATE))
    return hex === undefined ? undefined : `sha-256:${hex.toUpperCase().match(/../g)!.join(':')}`
  }
  return undefined
}

/** Which of the two a list of pins names: the whole certificate (and so its names), or only its key. */
export function pinned(facts: CertificateFacts, pins: readonly string[]): 'certificate' | 'key' | undefined {
  const listed = new Set(pins.map(normalisePin))
  if (listed.has(facts.certificateSha256)) return 'certificate'
  return listed.has(facts.publicKeySha256) ? 'key' : undefined
}
