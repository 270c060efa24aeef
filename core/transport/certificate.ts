import { createHash, type X509Certificate } from 'node:crypto'
import { isIP, isIPv6, SocketAddress } from 'node:net'
import { printable } from '../base/printable.ts'
import { parseAlternativeNames } from './alternative-names.ts'
import { isNamePattern } from './names.ts'

export const ROLES = ['agent', 'relay'] as const
export type Role = (typeof ROLES)[number]

/** URI subject alternative names in which our certificates carry what a host may do. */
export const ROLE_URI = 'urn:loghop:role:'
export const SPEAKS_FOR_URI = 'urn:loghop:speaks-for:'

/** What a certificate says. Whether to believe it is not decided here; texts are as the peer wrote them, see `printable`. */
export interface CertificateFacts {
  /** dNSName entries in their order, ASCII in lower case; not checked for being host names. */
  readonly names: readonly string[]
  /** iPAddress entries in their canonical spelling. */
  readonly addresses: readonly string[]
  readonly commonName: string | undefined
  readonly subject: string
  readonly issuer: string
  /** Upper-case hex. */
  readonly serial: string
  readonly validFrom: Date
  readonly validTo: Date
  /** Fingerprint of the certificate as RFC 5425 section 4.2.2 spells it: `sha-256:AB:CD:...`. */
  readonly certificateSha256: string
  /** Pin of the public key: `spki-sha256:` and lower-case hex. */
  readonly publicKeySha256: string
  /** Undefined for a certificate that says nothing of roles; one that says two, or an unknown one, is an agent, which may do least. */
  readonly role: Role | undefined
  /** Name patterns the holder may speak for besides its own name; malformed ones are left out. */
  readonly speaksFor: readonly string[]
}

function canonicalAddress(address: string): string {
  return isIPv6(address) ? new SocketAddress({ address, family: 'ipv6' }).address : address
}

function roleOf(uris: readonly string[]): Role | undefined {
  const roles = new Set(uris.filter((uri) => uri.startsWith(ROLE_URI)).map((uri) => uri.slice(ROLE_URI.length)))
  if (roles.size === 0) return undefined
  return roles.size === 1 && roles.has('relay') ? 'relay' : 'agent'
}

/** @throws when OpenSSL cannot read the public key; alternative names that do not parse count as none */
export function certificateFacts(certificate: X509Certificate): CertificateFacts {
  const entries = parseAlternativeNames(certificate.subjectAltName ?? '') ?? []
  const values = (kind: string) => entries.filter((entry) => entry.kind === kind).map((entry) => entry.value)
  const uris = values('URI')
  const patterns = uris.filter((uri) => uri.startsWith(SPEAKS_FOR_URI)).map((uri) => uri.slice(SPEAKS_FOR_URI.length))
  const commonName: unknown = certificate.toLegacyObject().subject?.CN
  const first: unknown = Array.isArray(commonName) ? commonName[0] : commonName
  return {
    names: values('DNS').map((name) => name.replace(/[A-Z]/g, (letter) => letter.toLowerCase())),
    addresses: values('IP Address')
      .filter((address) => isIP(address) !== 0)
      .map(canonicalAddress),
    commonName: typeof first === 'string' ? first : undefined,
    // Node puts a line between the parts of a name, and escapes line ends inside one.
    subject: (certificate.subject ?? '').replaceAll('\n', ', '),
    issuer: (certificate.issuer ?? '').replaceAll('\n', ', '),
    serial: certificate.serialNumber,
    validFrom: certificate.validFromDate,
    validTo: certificate.validToDate,
    certificateSha256: `sha-256:${certificate.fingerprint256}`,
    publicKeySha256: `spki-sha256:${createHash('sha256')
      .update(certificate.publicKey.export({ type: 'spki', format: 'der' }))
      .digest('hex')}`,
    role: roleOf(uris),
    speaksFor: patterns.filter(isNamePattern).map((pattern) => pattern.toLowerCase()),
  }
}

/** One line for a log or a terminal: subject, issuer, validity (UTC), fingerprint. */
export function describeCertificate(facts: CertificateFacts): string {
  const subject = facts.subject === '' ? facts.names.map((name) => `DNS:${name}`).join(', ') : facts.subject
  const validity = `valid ${dayOf(facts.validFrom)} to ${dayOf(facts.validTo)}`
  return `${printable(subject)}, issued by ${printable(facts.issuer)}, ${validity}, ${facts.certificateSha256}`
}

/** Date and time in UTC to the second; `an unreadable date` where the certificate's date is none. */
export function dayOf(date: Date): string {
  return Number.isNaN(date.getTime()) ? 'an unreadable date' : date.toISOString().replace(/\.\d+Z$/, 'Z')
}
