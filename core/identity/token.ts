// The text that "pki invite" prints and "join" reads: FORMAT.md.

import { crc32 } from 'node:zlib'
import { parseAddress } from '../base/address.ts'
import { LoghopError } from '../base/errors.ts'
import { dayOf, ROLES, type Role } from '../transport/certificate.ts'
import { isNamePattern } from '../transport/names.ts'

/** An invitation in a host's hands. `secret` is one: never log a Token. */
export interface Token {
  /** HOST:PORT. */
  readonly server: string
  /** Host name, or a pattern. */
  readonly name: string
  readonly role: Role
  readonly secret: string
  /** SHA-256 of the root's SubjectPublicKeyInfo, lower-case hex. */
  readonly rootSpki: string
  /** Whole seconds since 1970. */
  readonly expiresSeconds: number
}

export type TokenResult = { readonly kind: 'ok'; readonly token: Token } | { readonly kind: 'malformed'; readonly reason: string }

export const TOKEN_CHARACTERS_MAX = 2048

const PREFIX = 'loghop1_'
const CHECKSUM_DIGITS = 8
// 160 random bits.
const SECRET = /^[A-Za-z0-9_-]{27}$/
// SHA-256.
const DIGEST = /^[A-Za-z0-9_-]{43}$/

function checksum(json: Uint8Array): string {
  return crc32(json).toString(16).padStart(CHECKSUM_DIGITS, '0')
}

/** @throws {RangeError} it would be longer than a token may be */
export function formatToken(token: Token): string {
  const { server, name, role, secret, rootSpki, expiresSeconds } = token
  const json = Buffer.from(
    JSON.stringify({ s: server, n: name, r: role, k: secret, f: Buffer.from(rootSpki, 'hex').toString('base64url'), e: expiresSeconds }),
  )
  const text = `${PREFIX}${json.toString('base64url')}_${checksum(json)}`
  if (text.length > TOKEN_CHARACTERS_MAX) throw new RangeError(`Cannot make a token of ${text.length} characters`)
  return text
}

function malformed(reason: string): TokenResult {
  return { kind: 'malformed', reason }
}

function fieldsOf(json: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(json.toString('utf8'))
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

/** Reads a token; space around it is passed over. No reason quotes any of it, since it holds a secret. */
export function parseToken(text: string): TokenResult {
  const trimmed = text.trim()
  if (trimmed.length > TOKEN_CHARACTERS_MAX) return malformed(`it has ${trimmed.length} characters, ${TOKEN_CHARACTERS_MAX} is the limit`)
  if (!trimmed.startsWith(PREFIX)) return malformed(`it does not begin with ${PREFIX}`)
  const end = trimmed.length - CHECKSUM_DIGITS - 1
  const body = trimmed.slice(PREFIX.length, end)
  const json = Buffer.from(body, 'base64url')
  if (trimmed[end] !== '_' || !/^[A-Za-z0-9_-]+$/.test(body) || checksum(json) !== trimmed.slice(end + 1).toLowerCase()) {
    return malformed('its checksum does not fit: a part of it was not copied, or was changed')
  }
  const fields = fieldsOf(json)
  if (fields === undefined) return malformed('it cannot be decoded')
  const { s: server, n: name, r, k: secret, f: digest, e: expiresSeconds } = fields
  const role = ROLES.find((known) => known === r)
  if (typeof server !== 'string' || parseAddress(server).kind !== 'ok') return malformed('its server is no HOST:PORT')
  if (typeof name !== 'string' || !isNamePattern(name)) return malformed('its name is no host name')
  if (role === undefined) return malformed(`its role is none of ${ROLES.join(', ')}`)
  if (typeof secret !== 'string' || !SECRET.test(secret)) return malformed('its secret has not the form of one')
  if (typeof digest !== 'string' || !DIGEST.test(digest)) return malformed('its fingerprint is no SHA-256')
  if (typeof expiresSeconds !== 'number' || !Number.isSafeInteger(expiresSeconds)) return malformed('its expiry is no time')
  const rootSpki = Buffer.from(digest, 'base64url').toString('hex')
  return { kind: 'ok', token: { server, name, role, secret, rootSpki, expiresSeconds } }
}

/**
 * Reads a token for a join as `role`, before anything is dialled.
 * @throws {LoghopError} TOKEN when it is damaged, TOKEN_ROLE, TOKEN_EXPIRED
 */
export function requireToken(text: string, role: Role, nowMs: number): Token {
  const result = parseToken(text)
  if (result.kind === 'malformed') {
    throw new LoghopError('TOKEN', `Cannot use the token: ${result.reason}`, 'Copy the whole last line that "loghop pki invite" printed')
  }
  const { token } = result
  if (token.role !== role) {
    const sentence = `Cannot join as ${role}: the token is for the ${token.role} ${token.name}`
    throw new LoghopError('TOKEN_ROLE', sentence, `Run: loghop ${token.role} join TOKEN; or invite again with --role ${role}`)
  }
  const expires = new Date(token.expiresSeconds * 1000)
  if (expires.getTime() > nowMs) return token
  const sentence = `Cannot join: the token expired on ${dayOf(expires)}, the clock of this host says ${dayOf(new Date(nowMs))}`
  throw new LoghopError('TOKEN_EXPIRED', sentence, 'Make a new one with "loghop pki invite"; if the clock of this host is wrong, set it')
}
