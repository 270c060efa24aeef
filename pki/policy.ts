import { isIP, isIPv6, SocketAddress } from 'node:net'
import { LoghopError } from '../core/base/errors.ts'
import { printable } from '../core/base/printable.ts'
import { ROLE_URI, ROLES, type Role, SPEAKS_FOR_URI } from '../core/transport/certificate.ts'
import { isHostName, isNamePattern, normaliseName } from '../core/transport/names.ts'
import type { IssuedRole } from './acts.ts'
import type { LeafRequest, Validity } from './x509.ts'

export const DAY_MS = 86_400_000
export const ROOT_DAYS = 3650
export const ISSUER_DAYS = 365
export const LEAF_DAYS = 30
/** A year and a month's grace, for what renews itself by no means. */
export const LEAF_DAYS_LIMIT = 397
export const LIFE_MS_MIN = 10_000
/** Certificates start in the past by this much, for hosts whose clock is behind. */
export const BACKDATE_MS = 5 * 60_000
// So that two thirds of a short life stay about two thirds.
const BACKDATE_PART = 20
// RFC 5280, upper bound ub-common-name-length.
const COMMON_NAME_CHARACTERS = 64

const ALTERNATIVES_LIMIT = 100

/** What `pki issue` was asked for, as typed. */
export interface IssueOrder {
  readonly name: string
  readonly role: string
  readonly san?: readonly string[]
  readonly speaksFor?: readonly string[]
  /** One of the two, or LEAF_DAYS. */
  readonly days?: number | undefined
  readonly lifeMs?: number | undefined
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

/** @throws {LoghopError} USAGE unless it is a host name, `*.DOMAIN` or `*` */
export function checkNameOrPattern(name: string): string {
  return isNamePattern(name) ? name.toLowerCase() : checkHostName(name)
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

/** How long a certificate shall last, in milliseconds. @throws {LoghopError} USAGE */
export function checkLife(order: { readonly days?: number | undefined; readonly lifeMs?: number | undefined }): number {
  const { days, lifeMs } = order
  if (days !== undefined && lifeMs !== undefined) throw usage('Cannot take both --days and --life', 'Give one of them')
  if (lifeMs === undefined) {
    const wanted = days ?? LEAF_DAYS
    if (Number.isInteger(wanted) && wanted >= 1 && wanted <= LEAF_DAYS_LIMIT) return wanted * DAY_MS
    const sentence = `Cannot issue a certificate for ${wanted} days: 1 to ${LEAF_DAYS_LIMIT} are possible`
    throw usage(sentence, `Give --days between 1 and ${LEAF_DAYS_LIMIT}`)
  }
  // Certificates know whole seconds.
  if (lifeMs % 1000 === 0 && lifeMs >= LIFE_MS_MIN && lifeMs <= LEAF_DAYS_LIMIT * DAY_MS) return lifeMs
  const sentence = `Cannot issue a certificate for ${lifeMs / 1000} s: whole seconds from ${LIFE_MS_MIN / 1000} s to ${LEAF_DAYS_LIMIT} days are possible`
  throw usage(sentence, 'Give --life such as 12h or 30d')
}

/** The name of an authority, as it will stand in certificates. @throws {LoghopError} USAGE */
export function checkAuthorityName(name: string): string {
  const trimmed = name.trim()
  // Room for the words that tell root and issuers apart.
  const limit = COMMON_NAME_CHARACTERS - ' Issuer 9999'.length
  if (trimmed.length > 0 && trimmed.length <= limit && printable(trimmed) === trimmed) return trimmed
  throw usage(
    `Cannot name the authority ${quote(name)}: 1 to ${limit} printable characters are needed`,
    'Give a short --name, such as "Example Logs"',
  )
}

/** A validity from a little ago for `lifeMs` from now, cut off where the issuer's ends. */
export function validityOf(nowMs: number, lifeMs: number, issuerEnds?: Date): Validity {
  // Certificates know whole seconds.
  const start = Math.floor(nowMs / 1000) * 1000
  const backdate = Math.min(BACKDATE_MS, Math.floor(lifeMs / BACKDATE_PART / 1000) * 1000)
  const end = start + lifeMs
  return { notBefore: new Date(start - backdate), notAfter: new Date(Math.min(end, issuerEnds?.getTime() ?? end)) }
}

export type LeafPlan = Omit<LeafRequest, 'publicKey'> & {
  readonly name: string
  readonly role: IssuedRole
  readonly speaksFor: readonly string[]
  /** Names and addresses besides `name`. */
  readonly san: readonly string[]
  readonly lifeMs: number
}

/** What an order may be bound to: a certificate's content but for its dates. */
export interface CheckedOrder {
  readonly name: string
  readonly role: Role
  readonly san: readonly string[]
  readonly speaksFor: readonly string[]
  readonly lifeMs: number
}

/**
 * @param checkName what the name may be: a host name, or a pattern for an invitation
 * @throws {LoghopError} USAGE for what no certificate may say
 */
export function checkOrder(order: IssueOrder, checkName = checkHostName): CheckedOrder {
  const name = checkName(order.name)
  const role = checkRole(order.role)
  const san = [...new Set((order.san ?? []).map(checkAlternative))].filter((text) => text !== name)
  const speaksFor = [...new Set((order.speaksFor ?? []).map(checkPattern))]
  if (san.length + speaksFor.length > ALTERNATIVES_LIMIT) {
    const sentence = `Cannot issue a certificate with ${san.length + speaksFor.length} names and patterns: the limit is ${ALTERNATIVES_LIMIT}`
    throw usage(sentence, 'Use patterns such as *.site1.example.com')
  }
  return { name, role, san, speaksFor, lifeMs: checkLife(order) }
}

function requireLasting(issuer: { readonly validTo: Date }, lifeMs: number, nowMs: number): void {
  if (issuer.validTo.getTime() >= nowMs + Math.min(lifeMs, DAY_MS)) return
  const sentence = `Cannot issue a certificate: the issuing certificate ends on ${issuer.validTo.toISOString()}`
  throw new LoghopError('PKI_ISSUER_EXPIRED', sentence, 'Make a new one: loghop pki rotate --issuer')
}

function commonNameOf(name: string): string | undefined {
  return name.length <= COMMON_NAME_CHARACTERS ? name : undefined
}

/**
 * Turns an order into the exact content of a certificate; everything that is not asked for here is not in it.
 * @throws {LoghopError} USAGE for what no certificate may say, PKI_ISSUER_EXPIRED when the issuer cannot vouch any more
 */
export function planLeaf(order: IssueOrder, issuer: { readonly validTo: Date }, nowMs: number): LeafPlan {
  const checked = checkOrder(order)
  requireLasting(issuer, checked.lifeMs, nowMs)
  const { name, role, san, speaksFor } = checked
  return {
    ...checked,
    commonName: commonNameOf(name),
    dnsNames: [name, ...san.filter((text) => isIP(text) === 0)],
    addresses: san.filter((text) => isIP(text) !== 0),
    uris: [`${ROLE_URI}${role}`, ...speaksFor.map((pattern) => `${SPEAKS_FOR_URI}${pattern}`)],
    // A relay dials the next relay as well.
    usages: role === 'relay' ? ['clientAuth', 'serverAuth'] : ['clientAuth'],
    ...validityOf(nowMs, checked.lifeMs, issuer.validTo),
  }
}

/** The certificate of the authority's own server: it can be dialled, and nothing else. */
export function planServer(names: readonly string[], issuer: { readonly validTo: Date }, nowMs: number): LeafPlan {
  const lifeMs = LEAF_DAYS * DAY_MS
  requireLasting(issuer, lifeMs, nowMs)
  const all = [...new Set(names.map(checkAlternative))]
  // An identity has a name, also where the server is dialled by addresses alone.
  const name = all.find((text) => isIP(text) === 0) ?? 'loghop-authority'
  const san = all.filter((text) => text !== name)
  return {
    name,
    role: 'authority',
    speaksFor: [],
    san,
    lifeMs,
    commonName: commonNameOf(name),
    dnsNames: [name, ...san.filter((text) => isIP(text) === 0)],
    addresses: san.filter((text) => isIP(text) !== 0),
    uris: [],
    usages: ['serverAuth'],
    ...validityOf(nowMs, lifeMs, issuer.validTo),
  }
}
