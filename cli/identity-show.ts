import type { X509Certificate } from 'node:crypto'
import { printable } from '../core/base/printable.ts'
import { isSelfSigned } from '../core/identity/chain.ts'
import { AUTHORITY_FILE, type Identity } from '../core/identity/identity.ts'
import { identityProblems } from '../core/identity/problems.ts'
import { type RevocationList, readRevocationList } from '../core/identity/revocation-list.ts'
import { certificateFacts, dayOf } from '../core/transport/certificate.ts'
import { certificatesIn } from '../core/transport/pem.ts'

const HOUR_MS = 3_600_000
const LISTS_SHOWN = 16

function roleText(role: Identity['role']): string {
  switch (role) {
    case 'agent':
      return 'agent: it sends its own messages to relays'
    case 'relay':
      return 'relay: it takes messages from others and may send them on'
    case undefined:
      return 'none stated: its extended key usage decides what it may do'
    default:
      return role satisfies never
  }
}

function issuedText(leaf: X509Certificate, identity: Identity): string {
  const { issuer, serial } = identity.facts
  return isSelfSigned(leaf) ? `itself, serial ${serial}: only peers that pin it know it` : `${printable(issuer)}, serial ${serial}`
}

function renewalText(authority: string | undefined): string {
  if (authority === undefined) return `not by itself: there is no file "${AUTHORITY_FILE}" that names who renews it`
  return `by itself at ${printable(authority)} (file "${AUTHORITY_FILE}"), while a daemon runs`
}

function ageText(ms: number): string {
  const hours = Math.floor(ms / HOUR_MS)
  if (hours < 0) return 'in the future'
  return hours < 1 ? 'less than an hour ago' : hours < 48 ? `${hours} h ago` : `${Math.floor(hours / 24)} days ago`
}

function listIn(block: string): RevocationList | undefined {
  try {
    return readRevocationList(Buffer.from(block.replace(/-----[^-]*-----/g, ''), 'base64'))
  } catch {
    return undefined
  }
}

function revocationLines(crl: string | undefined, nowMs: number): string[] {
  if (crl === undefined) return ['no list (crl.pem) here']
  const blocks = crl.match(/-----BEGIN X509 CRL-----[^-]*-----END X509 CRL-----/g) ?? []
  return blocks.slice(0, LISTS_SHOWN).map((block) => {
    const list = listIn(block)
    if (list === undefined) return 'list in crl.pem that cannot be read'
    const { thisUpdateMs, nextUpdateMs, serials } = list
    const made = `list in crl.pem, made ${dayOf(new Date(thisUpdateMs))}, ${ageText(nowMs - thisUpdateMs)}, ${serials.size} revoked`
    if (nextUpdateMs === undefined) return made
    const next = dayOf(new Date(nextUpdateMs))
    return nowMs > nextUpdateMs ? `${made}; the next one is overdue since ${next}` : `${made}; the next by ${next}`
  })
}

function named(title: string, lines: readonly string[]): string[] {
  return lines.map((line, index) => `  ${(index === 0 ? title : '').padEnd(12)} ${line}`)
}

function nameLines({ facts }: Identity): string[] {
  return [
    'Names that peers may be configured with (RFC 5425 section 5.2):',
    ...named(
      'dNSName',
      facts.names.map((name) => printable(name)),
    ),
    ...named('iPAddress', facts.addresses),
    ...(facts.commonName === undefined
      ? []
      : named('CN', [`${printable(facts.commonName)}   (for other programs; Loghop does not compare it)`])),
  ]
}

function pinLines({ facts }: Identity): string[] {
  const base64 = Buffer.from(facts.publicKeySha256.replace('spki-sha256:', ''), 'hex').toString('base64')
  return [
    'Pins, for a peer that should know this host without a certificate authority, or in addition to one:',
    `  certificate  ${facts.certificateSha256}`,
    '               fingerprint as in RFC 5425 section 4.2.2; of this very certificate, changes when it is renewed. In relay.yaml: clients: { pins: ["sha-256:..."] }',
    '               There is no sha-1 form: SHA-1 can be forged, and no pin here takes it.',
    `  public key   ${facts.publicKeySha256}`,
    `               the same in base64: pin-sha256:${base64}`,
    '               of its key; stays when a certificate is renewed for the same key. It pins relays, and clients that an authority vouches for.',
  ]
}

function certificateLines(certificate: X509Certificate): string[] {
  const facts = certificateFacts(certificate)
  const subject = facts.subject === '' ? facts.names.join(', ') : facts.subject
  return [`  ${printable(subject)}, to ${dayOf(facts.validTo)}`, `    ${facts.certificateSha256}`]
}

/** The explanation of an identity in plain words, line by line; holds no secret. */
export function explainIdentity(identity: Identity, nowMs: number): string[] {
  const { facts } = identity
  // loadIdentity() has read both.
  const chain = certificatesIn(identity.cert)!
  const { authority } = identity
  const problems = identityProblems(identity, nowMs, authority === undefined ? undefined : { authority })
  return [
    `Identity in ${identity.directory}`,
    ...named('name', [identity.name]),
    ...named('role', [roleText(identity.role)]),
    ...named('speaks for', [facts.speaksFor.length > 0 ? facts.speaksFor.join(', ') : 'itself only']),
    ...named('issued by', [issuedText(chain[0]!, identity)]),
    ...named('valid', [`${dayOf(facts.validFrom)} to ${dayOf(facts.validTo)}`]),
    ...named('renewed', [renewalText(authority)]),
    ...named('revocation', revocationLines(identity.crl, nowMs)),
    '',
    ...nameLines(identity),
    '',
    ...pinLines(identity),
    '',
    'Chain that it presents (cert.pem), its own certificate first:',
    ...chain.flatMap(certificateLines),
    'Authorities that it trusts (ca.pem):',
    ...certificatesIn(identity.ca)!.flatMap((certificate) => [
      ...certificateLines(certificate),
      ...(isSelfSigned(certificate) ? [] : ['    no root, so trusted for nothing: it helps to check revocation lists']),
    ]),
    ...(problems.length > 0 ? [''] : []),
    ...problems.flatMap(({ sentence, remedy }) => [sentence, `  ${remedy}`]),
  ]
}
