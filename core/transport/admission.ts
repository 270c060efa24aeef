import type { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { printable } from '../base/printable.ts'
import { type CertificateFacts, certificateFacts, dayOf } from './certificate.ts'
import { issuedByOneOf } from './issuers.ts'
import { isHostName, matchesName, normaliseName, reverseName } from './names.ts'
import { normalisePin, pinned } from './pins.ts'
import type { RevocationCheck } from './tls-policy.ts'
import { CHAIN_ERRORS, verifyFault } from './verify-errors.ts'

/** Who may connect to a listener: either list suffices; both empty admit nobody. */
export interface AdmissionPolicy {
  /** Name patterns (see `matchesName`) and IP addresses in their canonical spelling, for certificates that our authorities vouch for. */
  readonly names: readonly string[]
  /** Pins in any spelling that `normalisePin` reads; one it cannot read matches nothing. */
  readonly pins: readonly string[]
  /** Pins of authorities of which one must be in the chain of a certificate that is admitted by its name; none means any of ca.pem. */
  readonly issuers?: readonly string[]
  /** Whether the common name counts where a certificate carries no dNSName at all. */
  readonly commonName?: boolean
}

/** What TLS knows of the peer once the handshake is over. */
export interface PresentedCertificate {
  readonly certificate: X509Certificate | undefined
  /** OpenSSL's verdict on the chain (TLSSocket.authorized). */
  readonly authorized: boolean
  /** The verify code beside it, such as CERT_HAS_EXPIRED. */
  readonly authorizationError: string | undefined
  /** The trusted roots, for a policy with issuers. */
  readonly roots?: readonly X509Certificate[]
}

export type AdmissionCheck =
  | 'no-certificate'
  | 'untrusted'
  | 'expired'
  | 'not-yet-valid'
  | 'revoked'
  | 'purpose'
  | 'name'
  | 'not-permitted'
  | 'issuer'
  | 'pin'

export type Refusal = {
  readonly kind: 'refused'
  readonly check: AdmissionCheck
  /** One line, safe to log: what was found and what was expected. */
  readonly sentence: string
  readonly remedy: string
  readonly facts: CertificateFacts | undefined
}

export type Admission = { readonly kind: 'admitted'; readonly name: string; readonly facts: CertificateFacts } | Refusal

const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2'
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1'
const SHOWN = 5

function refuse(check: AdmissionCheck, sentence: string, remedy: string, facts?: CertificateFacts): Refusal {
  return { kind: 'refused', check, sentence, remedy, facts }
}

function list(items: readonly string[]): string {
  const shown = items.slice(0, SHOWN).map((item) => printable(item))
  return items.length > SHOWN ? `${shown.join(', ')} and ${items.length - SHOWN} more` : shown.join(', ')
}

function quoted(names: readonly string[]): string {
  return names.length === 0 ? 'no name' : list(names.map((name) => `"${name.replaceAll('"', '\\"')}"`))
}

function factsOf(certificate: X509Certificate): CertificateFacts | undefined {
  try {
    return certificateFacts(certificate)
  } catch {
    return undefined
  }
}

// The dates and the key usage are looked at here as well, because OpenSSL reports one error of several: a chain error can hide them.
function faultOfItsOwn(certificate: X509Certificate, facts: CertificateFacts, usage: string, nowMs: number): Refusal | undefined {
  // Written so that an unreadable date refuses.
  if (!(nowMs >= facts.validFrom.getTime())) {
    const sentence = `certificate of ${quoted(facts.names)} is valid from ${dayOf(facts.validFrom)}, the clock here says ${dayOf(new Date(nowMs))}`
    return refuse('not-yet-valid', sentence, verifyFault('CERT_NOT_YET_VALID').remedy, facts)
  }
  if (!(nowMs <= facts.validTo.getTime())) {
    const sentence = `certificate of ${quoted(facts.names)} expired on ${dayOf(facts.validTo)}, the clock here says ${dayOf(new Date(nowMs))}`
    return refuse('expired', sentence, verifyFault('CERT_HAS_EXPIRED').remedy, facts)
  }
  // Node calls the extended key usage `keyUsage`; a certificate without one is for any use.
  const usages = certificate.keyUsage as readonly string[] | undefined
  if (usages !== undefined && !usages.includes(usage)) {
    const wanted = usage === CLIENT_AUTH ? 'clientAuth' : 'serverAuth'
    const sentence = `certificate of ${quoted(facts.names)} is not for this use: its extended key usage lacks ${wanted}`
    return refuse('purpose', sentence, verifyFault('INVALID_PURPOSE').remedy, facts)
  }
  return undefined
}

type Examined = {
  readonly kind: 'sound'
  readonly certificate: X509Certificate
  readonly facts: CertificateFacts
  readonly vouched: boolean
}

// Everything that a list of names or pins cannot mend. `vouched` is false when only the chain is at fault, which a pin may mend.
function examine(presented: PresentedCertificate, usage: string, nowMs: number, revoked: RevocationCheck): Examined | Refusal {
  const { certificate, authorizationError: code } = presented
  if (certificate === undefined) {
    return refuse('no-certificate', 'peer presented no certificate, one is required', 'Give the peer an identity: "loghop pki issue"')
  }
  const facts = factsOf(certificate)
  if (facts === undefined) {
    const remedy = 'Issue the certificate for an ECDSA P-256, RSA or Ed25519 key'
    return refuse('untrusted', 'certificate holds a public key that cannot be read', remedy)
  }
  const own = faultOfItsOwn(certificate, facts, usage, nowMs)
  if (own !== undefined) return own
  const revokedAt = revoked(certificate)
  if (revokedAt !== undefined) {
    const sentence = `certificate of ${quoted(facts.names)}, serial ${facts.serial}, or an authority above it, was revoked on ${dayOf(revokedAt)}`
    return refuse(
      'revoked',
      sentence,
      'If that host may come again: "loghop pki reset NAME" on the authority, then invite and join it anew',
      facts,
    )
  }
  const vouched = presented.authorized === true
  if (!vouched && !CHAIN_ERRORS.has(code ?? '')) {
    const fault = verifyFault(code)
    return refuse(fault.check, `certificate of ${quoted(facts.names)} is refused: ${printable(fault.found)}`, fault.remedy, facts)
  }
  return { kind: 'sound', certificate, facts, vouched }
}

function notVouched(facts: CertificateFacts, code: string | undefined): Refusal {
  const fault = verifyFault(code)
  const sentence = `certificate of ${quoted(facts.names)}, issued by ${printable(facts.issuer)}, is not trusted: ${fault.found}`
  return refuse('untrusted', sentence, fault.remedy, facts)
}

// What the certificate proves its holder is called, first what counts first; where it has addresses alone, the name of one that the policy lists.
function namesOf(facts: CertificateFacts, policy: AdmissionPolicy): string[] {
  const names = facts.names.filter(isHostName)
  if (names.length > 0) return names
  const commonName = policy.commonName === true && facts.names.length === 0 ? normaliseName(facts.commonName ?? '') : undefined
  if (commonName !== undefined) return [commonName]
  return facts.addresses.filter((address) => policy.names.includes(address)).map(reverseName)
}

/**
 * Decides on a client of a listener, and which host it is: the first dNSName that the policy permits, or, for a pinned certificate, its first one.
 * A pin stands in for a chain to our authorities, never for dates, key usage or revocation. It must then be the certificate's: whoever holds a key
 * can sign any name for it. A pinned certificate of an unknown authority cannot be looked up in a revocation list; to withdraw it, take the pin out.
 * @see RFC 5425 sections 4.2 and 5
 */
export function admitClient(presented: PresentedCertificate, policy: AdmissionPolicy, nowMs: number, revoked: RevocationCheck): Admission {
  const examined = examine(presented, CLIENT_AUTH, nowMs, revoked)
  if (examined.kind === 'refused') return examined
  const { facts, vouched } = examined
  const pin = pinned(facts, policy.pins)
  if (!vouched && pin === 'key') {
    const sentence = `certificate of ${quoted(facts.names)} has a pinned key, but no known authority vouches for the name it carries`
    return refuse('pin', sentence, `Pin the certificate instead of its key: ${facts.certificateSha256}`, facts)
  }
  if (!vouched && pin === undefined) return notVouched(facts, presented.authorizationError)

  const issuers = policy.issuers ?? []
  if (pin === undefined && issuers.length > 0 && !issuedByOneOf(examined.certificate, issuers, presented.roots)) {
    const sentence = `certificate of ${quoted(facts.names)}, issued by ${printable(facts.issuer)}, comes from none of the ${issuers.length} issuers of this listener`
    return refuse(
      'issuer',
      sentence,
      'Add the pin of that authority to clients.issuers of the listener, or issue a certificate there',
      facts,
    )
  }

  const names = namesOf(facts, policy)
  if (names.length === 0) {
    const found = facts.names.length === 0 ? 'no dNSName' : `only ${quoted(facts.names)}`
    const sentence = `certificate carries ${found} in subjectAltName, a host name is needed there (the common name does not count)`
    return refuse('name', sentence, 'Issue the certificate with the name of the host as a DNS subjectAltName', facts)
  }
  const permitted = vouched ? names.find((name) => policy.names.some((pattern) => matchesName(pattern, name))) : undefined
  const isAddressPermitted = vouched && facts.addresses.some((address) => policy.names.includes(address))
  const name = permitted ?? (pin === undefined && !isAddressPermitted ? undefined : names[0])
  if (name !== undefined) return { kind: 'admitted', name, facts }

  if (policy.names.length === 0 && policy.pins.length > 0) {
    const sentence = `certificate of ${quoted(facts.names)} is ${facts.certificateSha256}, which is none of the ${policy.pins.length} pins of this listener`
    return refuse('pin', sentence, 'Add that pin to clients.pins of the listener, or the name to clients.names', facts)
  }
  const admits = policy.names.length === 0 ? 'nobody' : list(policy.names)
  const sentence = `certificate names ${quoted(facts.names)}, this listener admits ${admits}`
  return refuse(
    'not-permitted',
    sentence,
    'Add the name to clients.names of the listener, or issue a certificate with a permitted name',
    facts,
  )
}

function carries(certificate: X509Certificate, host: string): boolean {
  if (isIP(host) !== 0) return certificate.checkIP(host) !== undefined
  // OpenSSL takes a leading dot for "any name below": only host names go there. `never`: the common name does not count.
  const options = { subject: 'never', wildcards: true, partialWildcards: false, multiLabelWildcards: false } as const
  return isHostName(host) && certificate.checkHost(host, options) !== undefined
}

/**
 * Decides on the relay that an agent, or a forwarding relay, has dialled. A chain to our authorities is required, and the dialled name or address
 * in the certificate, and, where it speaks of roles, the role `relay`. A pin is required in addition when one is given; when it matches,
 * it stands in for the chain and for the name that a chain would prove, never for dates, key usage or revocation.
 */
export function admitServer(
  presented: PresentedCertificate,
  expected: { readonly host: string; readonly pin?: string | undefined },
  nowMs: number,
  revoked: RevocationCheck,
): Admission {
  const examined = examine(presented, SERVER_AUTH, nowMs, revoked)
  if (examined.kind === 'refused') return examined
  const { certificate, facts, vouched } = examined
  const host = printable(expected.host)
  const isPinned = expected.pin !== undefined && pinned(facts, [expected.pin]) !== undefined
  if (!vouched && !isPinned && expected.pin === undefined) return notVouched(facts, presented.authorizationError)
  if (expected.pin !== undefined && !isPinned) {
    const wanted = normalisePin(expected.pin) ?? printable(expected.pin)
    const found = wanted.startsWith('spki-') ? facts.publicKeySha256 : facts.certificateSha256
    const remedy = 'Ask the person who runs the relay for its pin ("loghop identity show" prints it) and put it in the configuration'
    return refuse('pin', `relay ${host} presented ${found}, the pin is ${wanted}`, remedy, facts)
  }
  if (facts.role !== undefined && facts.role !== 'relay') {
    const sentence = `relay ${host} presented the certificate of an ${facts.role}, named ${quoted(facts.names)}`
    return refuse('purpose', sentence, 'Issue a certificate for that host with "loghop pki issue NAME --role relay"', facts)
  }
  if (vouched && !carries(certificate, expected.host)) {
    const found = quoted([...facts.names, ...facts.addresses])
    const remedy = `Dial a name the certificate carries, or issue it again with "--san ${host}"`
    return refuse('name', `relay was dialled as "${host}", its certificate carries ${found}`, remedy, facts)
  }
  return { kind: 'admitted', name: normaliseName(expected.host) ?? host, facts }
}
