import { createHash, randomBytes } from 'node:crypto'
import { parseAddress } from '../core/base/address.ts'
import { LoghopError } from '../core/base/errors.ts'
import { printable } from '../core/base/printable.ts'
import { formatDuration } from '../core/base/quantities.ts'
import { spkiDigest } from '../core/identity/bundle.ts'
import { formatToken } from '../core/identity/token.ts'
import { dayOf, type Role } from '../core/transport/certificate.ts'
import { isNamePattern } from '../core/transport/names.ts'
import type { ActSession } from './act-session.ts'
import { checkHostName, checkNameOrPattern, checkOrder, DAY_MS, type IssueOrder } from './policy.ts'
import { newestRoot } from './state.ts'

export interface InviteOrder extends IssueOrder {
  /** A second certificate for an RSA key, beside the one for an EC key. */
  readonly rsa?: boolean
  /** How long the token may be used. */
  readonly ttlMs: number
  readonly uses: number
  /** HOST:PORT of `pki serve`; as that one has recorded it when it is not given. */
  readonly server?: string | undefined
}

export interface Invited {
  /** Secret: shown once, to the one who asked. */
  readonly token: string
  readonly id: string
  readonly name: string
  readonly role: Role
  readonly server: string
  readonly expires: Date
}

const SECRET_BYTES = 20
const ID_BYTES = 6
export const TTL_MS = 3_600_000
const TTL_MS_MIN = 10_000
const TTL_MS_MAX = 30 * DAY_MS
const USES_MAX = 10_000

export function secretDigest(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}

function usage(sentence: string, remedy: string): LoghopError {
  return new LoghopError('USAGE', sentence, remedy)
}

function checkServer(server: string | undefined): string {
  if (server === undefined) {
    throw usage(
      'Cannot invite: nobody has said where the authority is reached',
      'Give --server HOST:PORT, or start "loghop pki serve" first',
    )
  }
  const address = parseAddress(server)
  if (address.kind === 'ok') return server
  throw usage(`Cannot invite with the server "${printable(server)}": ${address.reason}`, 'Give --server HOST:PORT')
}

/** @throws {LoghopError} PKI_BANNED */
export function requireNotBanned({ state }: ActSession, name: string): void {
  const banned = state.hosts.get(name)?.banned
  if (banned === undefined) return
  const sentence = `Cannot let ${name} in: it was revoked on ${dayOf(new Date(banned.at))} (${banned.reason})`
  throw new LoghopError('PKI_BANNED', sentence, `If it may come back: loghop pki reset ${name}`)
}

/**
 * Makes an invitation; its secret is in the token alone.
 * @throws {LoghopError} USAGE for what no certificate may say, PKI_BANNED
 */
export function invite(session: ActSession, order: InviteOrder): Invited {
  const { state, nowMs } = session
  const { uses, ttlMs } = order
  if (!Number.isInteger(uses) || uses < 1 || uses > USES_MAX) {
    throw usage(`Cannot invite for ${uses} uses: 1 to ${USES_MAX} are possible`, `Give --uses between 1 and ${USES_MAX}`)
  }
  if (!(ttlMs >= TTL_MS_MIN && ttlMs <= TTL_MS_MAX)) {
    throw usage(`Cannot invite for ${formatDuration(ttlMs)}: 10s to 30d are possible`, 'Give --ttl such as 1h')
  }
  if (uses === 1 && order.name.includes('*') && isNamePattern(order.name)) {
    throw usage(`Cannot invite ${order.name} for one use: a pattern is for several hosts`, 'Give the number of hosts, such as --uses 50')
  }
  const { name, role, san, speaksFor, lifeMs } = checkOrder(order, uses > 1 ? checkNameOrPattern : checkHostName)
  if (name.includes('*') && san.length > 0) {
    throw usage(`Cannot give every host of ${name} the same further names`, 'Invite such hosts one by one, or leave out --san')
  }
  requireNotBanned(session, name)
  const server = checkServer(order.server ?? state.address)
  const secret = randomBytes(SECRET_BYTES).toString('base64url')
  const id = randomBytes(ID_BYTES).toString('hex')
  // A token knows whole seconds.
  const expires = new Date(Math.floor((nowMs + ttlMs) / 1000) * 1000)
  const rootSpki = spkiDigest(session.directory.root(newestRoot(state).number))
  const token = formatToken({ server, name, role, secret, rootSpki, expiresSeconds: expires.getTime() / 1000 })
  session.append({
    act: 'invite',
    id,
    name,
    role,
    speaksFor,
    san,
    rsa: order.rsa === true,
    lifeSeconds: lifeMs / 1000,
    uses,
    expires: expires.toISOString(),
    secret: secretDigest(secret),
  })
  return { token, id, name, role, server, expires }
}
