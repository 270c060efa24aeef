import { isIP, isIPv6, SocketAddress } from 'node:net'
import { LoghopError } from '../core/base/errors.ts'
import { printable } from '../core/base/printable.ts'
import { ROLE_URI, ROLES, type Role, SPEAKS_FOR_URI } from '../core/transport/certificate.ts'
import { isHostName, isNamePattern, normaliseName } from '../core/transport/names.ts'
import type { LeafRequest, Validity } from './x509.ts'

export const DAY_MS = 86_400_000
export const ROOT_DAYS = 3650
export const ISSUER_DAYS = 1095
// Ours: a year and a month's grace, until certificates renew themselves.
export const LEAF_DAYS = 397
/** Certificates start in the past by this much, for hosts whose clock is behind. */
export const BACKDATE_MS = 5 * 60_000
// RFC 5280, upper bound ub-common-name-length.
const COMMON_NAME_CHARACTERS = 64

const ALTERNATIVES_LIMIT = 100

/** What `pki issue` was asked for, as typed. */
export interface IssueOrder {
  readonly name: string
  readonly role: string
  readonly san?: readonly string[]
  readonly speaksFor?: readonly string[]
  readonly days?: number | undefined
}

function usage(sentence: string, remedy: string): LoghopError {
  return new LoghopError('USAGE', sentence, remedy)
}

function quote(text: string): string {
  return `"${printable(text).replaceAll('"', '\\"')}"`
}

/** @throws {LoghopError} USAGE unless it is a host name; @returns its lower-case spelling */
export function checkHostName(name: string): string {
  const normal = normaliseName(name)
  if (normal !== undefined) return normal
  const found =
    isIP(name) !== 0 ? 'it is an address, a host name is needed' : 'it is no host name (letters, digits, hyphens and dots, at most 253)'
  throw usage(`Cannot issue a certificate for ${quote(name)}: ${found}`, 'Give the full name of the host, and addresses with --san')
}

function checkRole(role: string): Role {
  const known = ROLES.find((candidate) => candidate === role)
  if (known !== undefined) return known
  throw usage(
    `Cannot issue a certificate for role ${quote(role)}: the roles are ${ROLES.join(' and ')}`,
    'Give --role agent or --role relay',
  )
}

function checkPattern(pattern: string): string {
  if (isNamePattern(pattern)) return pattern.toLowerCase()
  const sentence = `Cannot let a host speak for ${quote(pattern)}: a pattern is a host name, *.DOMAIN or *`
  throw usage(sentence, 'Correct --speaks-for, and quote the star for the shell')
}

function checkAlternative(text: string): string {
  if (isIPv6(text) && !text.includes('%')) return new SocketAddress({ address: text, family: 'ipv6' }).address
  if (isIP(text) === 4 || isHostName(text)) return text.toLowerCase()
  throw usage(`Cannot put ${quote(text)} into a certificate: it is neither a host name nor an address`, 'Correct --san')
}

function checkDays(days: number): number {
  if (Number.isInteger(days) && days >= 1 && days <= ISSUER_DAYS) return days
  throw usage(`Cannot issue a certificate for ${days} days: 1 to ${ISSUER_DAYS} are possible`, `Give --days between 1 and ${ISSUER_DAYS}`)
}

/** The name of an authority, as it will stand in certificates. @throws {LoghopError} USAGE */
export function checkAuthorityName(name: string): string {
  const trimmed = name.trim()
  // Room for the word that tells root and issuer apart.
  const limit = COMMON_NAME_CHARACTERS - ' Issuer'.length
  if (trimmed.length > 0 && trimmed.length <= limit && printable(trimmed) === trimmed) return trimmed
  throw usage(
    `Cannot name the authority ${quote(name)}: 1 to ${limit} printable characters are needed`,
    'Give a short --name, such as "Example Logs"',
  )
}

/** A validity from five minutes ago for `days` days, cut off where the issuer's ends. */
export function validityOf(nowMs: number, days: number, issuerEnds?: Date): Validity {
  // Certificates know whole seconds.
  const start = Math.floor(nowMs / 1000) * 1000
  const end = start + days * DAY_MS
  return { notBefore: new Date(start - BACKDATE_MS), notAfter: new Date(Math.min(end, issuerEnds?.getTime() ?? end)) }
}

export type LeafPlan = Omit<LeafRequest, 'publicKey'> & {
  readonly name: string
  readonly role: Role
  readonly speaksFor: readonly string[]
}

/**
 * Turns an order into the exact content of a certificate; everything that is not asked for here is not in it.
 * @throws {LoghopError} USAGE for what no certificate may say, PKI_ISSUER_EXPIRED when the issuer cannot vouch any more
 */
export function planLeaf(order: IssueOrder, issuer: { readonly validTo: Date }, nowMs: number): LeafPlan {
  const name = checkHostName(order.name)
  const role = checkRole(order.role)
  const alternatives = [...new Set((order.san ?? []).map(checkAlternative))].filter((text) => text !== name)
  const speaksFor = [...new Set((order.speaksFor ?? []).map(checkPattern))]
  if (alternatives.length + speaksFor.length > ALTERNATIVES_LIMIT) {
    const sentence = `Cannot issue a certificate with ${alternatives.length + speaksFor.length} names and patterns: the limit is ${ALTERNATIVES_LIMIT}`
    throw usage(sentence, 'Use patterns such as *.site1.example.com')
  }
  const days = checkDays(order.days ?? LEAF_DAYS)
  if (issuer.validTo.getTime() < nowMs + DAY_MS) {
    const sentence = `Cannot issue a certificate: the issuing certificate ends on ${issuer.validTo.toISOString()}`
    throw new LoghopError('PKI_ISSUER_EXPIRED', sentence, 'Make a new authority with "loghop pki init" in another directory')
  }
  return {
    name,
    role,
    speaksFor,
    commonName: name.length <= COMMON_NAME_CHARACTERS ? name : undefined,
    dnsNames: [name, ...alternatives.filter((text) => isIP(text) === 0)],
    addresses: alternatives.filter((text) => isIP(text) !== 0),
    uris: [`${ROLE_URI}${role}`, ...speaksFor.map((pattern) => `${SPEAKS_FOR_URI}${pattern}`)],
    // A relay dials the next relay as well.
    usages: role === 'relay' ? ['clientAuth', 'serverAuth'] : ['clientAuth'],
    ...validityOf(nowMs, days, issuer.validTo),
  }
}
