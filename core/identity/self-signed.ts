import { X509Certificate } from 'node:crypto'
import { generate } from 'selfsigned'
import { LoghopError } from '../base/errors.ts'
import { printable } from '../base/printable.ts'
import { type CertificateFacts, certificateFacts, ROLE_URI, ROLES, type Role } from '../transport/certificate.ts'
import { normaliseName } from '../transport/names.ts'
import { CA_FILE, CERT_FILE, KEY_FILE } from './identity.ts'
import { makeDirectoryOnce, requireFree } from './new-directory.ts'

const DAY_MS = 86_400_000
/** Ours: nobody renews it, and taking its pin out of a configuration is what withdraws it. */
export const SELF_SIGNED_DAYS = 1095
export const SELF_SIGNED_DAYS_LIMIT = 3650
// For hosts whose clock is behind.
const BACKDATE_MS = 5 * 60_000
// RFC 5280, upper bound ub-common-name-length.
const COMMON_NAME_CHARACTERS = 64
// Numbers of GeneralName's choices, RFC 5280 section 4.2.1.6.
const DNS_NAME = 2
const URI = 6

/** What `identity new` was asked for, as typed. */
export interface SelfSignedOrder {
  readonly name: string
  /** Agents may only send; a relay, or an identity without a role, may listen and send. */
  readonly role?: string | undefined
  readonly days?: number | undefined
  readonly directory: string
}

export interface SelfSignedIdentity {
  readonly directory: string
  readonly name: string
  readonly facts: CertificateFacts
}

function usage(sentence: string, remedy: string): LoghopError {
  return new LoghopError('USAGE', sentence, remedy)
}

function checkName(name: string): string {
  const normal = normaliseName(name)
  if (normal !== undefined) return normal
  const sentence = `Cannot make an identity for "${printable(name)}": it is no host name (letters, digits, hyphens and dots, at most 253)`
  throw usage(sentence, 'Give the full name of this host, such as web01.example.com')
}

function checkRole(role: string | undefined): Role | undefined {
  const known = ROLES.find((candidate) => candidate === role)
  if (role === undefined || known !== undefined) return known
  throw usage(
    `Cannot make an identity of role "${printable(role)}": the roles are ${ROLES.join(' and ')}`,
    'Give --role agent or --role relay',
  )
}

function checkDays(days: number): number {
  if (Number.isInteger(days) && days >= 1 && days <= SELF_SIGNED_DAYS_LIMIT) return days
  const sentence = `Cannot make an identity for ${days} days: 1 to ${SELF_SIGNED_DAYS_LIMIT} are possible`
  throw usage(sentence, `Give --days between 1 and ${SELF_SIGNED_DAYS_LIMIT}`)
}

/**
 * A key and a certificate of it by itself, in PEM. No extension says that it is an authority: whoever trusts it trusts this one host.
 * selfsigned's own defaults are RSA 2048 and SHA-1, so nothing is left to them. It has no option for the key identifiers, which RFC 5280 sections
 * 4.2.1.1 and 4.2.1.2 let a self-signed end certificate go without.
 */
async function certify(name: string, role: Role | undefined, days: number, nowMs: number): Promise<{ key: string; cert: string }> {
  // Certificates know whole seconds.
  const start = Math.floor(nowMs / 1000) * 1000
  // The issuer, and so the subject, must not be empty. A label has at most 63 characters; names are compared in subjectAltName alone.
  const commonName = name.length <= COMMON_NAME_CHARACTERS ? name : name.split('.')[0]!
  const made = await generate([{ name: 'commonName', value: commonName }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    notBeforeDate: new Date(start - BACKDATE_MS),
    notAfterDate: new Date(start + days * DAY_MS),
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', clientAuth: true, serverAuth: role !== 'agent' },
      {
        name: 'subjectAltName',
        altNames: [{ type: DNS_NAME, value: name }, ...(role === undefined ? [] : [{ type: URI, value: `${ROLE_URI}${role}` } as const])],
      },
    ],
  })
  return { key: made.private, cert: `${made.cert.trim()}\n` }
}

/**
 * Makes a key and a self-signed certificate as an identity directory: for two hosts that know each other by pins, without any authority.
 * @see RFC 5425 sections 4.2.1 and 5.1
 * @throws {LoghopError} USAGE, PKI_EXISTS, PKI_WRITE; then no identity was made
 */
export async function makeSelfSignedIdentity(order: SelfSignedOrder, nowMs: number): Promise<SelfSignedIdentity> {
  const name = checkName(order.name)
  const role = checkRole(order.role)
  const days = checkDays(order.days ?? SELF_SIGNED_DAYS)
  requireFree(order.directory, 'an identity')
  const { key, cert } = await certify(name, role, days, nowMs)
  makeDirectoryOnce(order.directory, 'an identity', [
    { name: KEY_FILE, text: key, mode: 0o600 },
    { name: CERT_FILE, text: cert, mode: 0o644 },
    // It trusts itself alone; peers are known by their pins.
    { name: CA_FILE, text: cert, mode: 0o644 },
  ])
  return { directory: order.directory, name, facts: certificateFacts(new X509Certificate(cert)) }
}
