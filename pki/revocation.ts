import { LoghopError } from '../core/base/errors.ts'
import { printable } from '../core/base/printable.ts'
import { isNamePattern, normaliseName } from '../core/transport/names.ts'
import type { ActSession } from './act-session.ts'
import { REVOCATION_REASONS, type RevocationReason } from './acts.ts'
import { readRevocationList, signRevocationList } from './crl.ts'
import { crlFile } from './directory.ts'
import { BACKDATE_MS, DAY_MS } from './policy.ts'
import type { RevocationListFile } from './service.ts'
import { certificatesOf, type Issued, inviteCommand, liveIssuers, type State } from './state.ts'

export const LIST_LIFE_MS = 7 * DAY_MS
export const LIST_RENEW_MS = 3_600_000
/** How long a host may renew with a certificate that has expired, by proof of its key. */
export const GRACE_MS = 30 * DAY_MS

/** Revoked certificates of an issuer that can still matter: RFC 5280 section 3.3 keeps an entry on one list beyond the certificate's end. */
function entriesOf(state: State, issuer: number, nowMs: number): Issued[] {
  return [...state.certificates.values()].filter(
    (issued) => issued.issuer === issuer && issued.revoked !== undefined && Date.parse(issued.notAfter) + LIST_LIFE_MS > nowMs,
  )
}

function lastList(session: Pick<ActSession, 'directory'>, issuer: number): ReturnType<typeof readRevocationList> | undefined {
  const der = session.directory.revocationList(issuer)
  try {
    return der === undefined ? undefined : readRevocationList(der)
  } catch {
    // Damaged: it is made anew, and its number rises by the clock.
    return undefined
  }
}

function makeList(session: ActSession, issuer: number, isForced: boolean): void {
  const { state, directory, nowMs } = session
  const entries = entriesOf(state, issuer, nowMs)
  const last = lastList(session, issuer)
  const start = Math.floor(nowMs / 1000) * 1000
  if (last !== undefined && !isForced) {
    const ageMs = start - BACKDATE_MS - last.thisUpdate.getTime()
    // A negative age: the clock was ahead when it was made.
    if (ageMs >= 0 && ageMs < LIST_RENEW_MS && entries.every(({ serial }) => last.serials.has(serial))) return
  }
  const der = signRevocationList(
    {
      number: Math.max((last?.number ?? 0) + 1, start / 1000),
      thisUpdate: new Date(start - BACKDATE_MS),
      nextUpdate: new Date(start + LIST_LIFE_MS),
      entries: entries.map(({ serial, revoked }) => ({ serial, at: new Date(revoked!.at), reason: revoked!.reason })),
    },
    directory.issuerSigner(issuer),
  )
  directory.write(crlFile(issuer), der, 0o644)
}

/** Makes each issuer's list anew: when it is due, or all of them when forced. */
export function refreshLists(session: ActSession, isForced = false): void {
  for (const { number } of listedIssuers(session)) makeList(session, number, isForced)
}

/** Issuers that have a list, newest first: not retired, and not expired, since nobody believes a list of an expired one. */
export function listedIssuers({ state, directory, nowMs }: Pick<ActSession, 'state' | 'directory' | 'nowMs'>): { number: number }[] {
  return liveIssuers(state).filter(({ number }) => directory.issuer(number).validToDate.getTime() > nowMs)
}

/** The lists that are there, newest issuer first. */
export function listsOf(session: Pick<ActSession, 'state' | 'directory' | 'nowMs'>): RevocationListFile[] {
  return listedIssuers(session).flatMap(({ number }) => {
    const der = session.directory.revocationList(number)
    return der === undefined ? [] : [{ issuer: number, der }]
  })
}

/** Issuers whose list is missing, or so old that its end comes near: something keeps it from being made. */
export function staleLists(session: Pick<ActSession, 'state' | 'directory' | 'nowMs'>): { issuer: number; nextUpdate: Date | undefined }[] {
  return listedIssuers(session).flatMap(({ number }) => {
    const nextUpdate = lastList(session, number)?.nextUpdate
    return nextUpdate === undefined || nextUpdate.getTime() - session.nowMs < LIST_LIFE_MS / 2 ? [{ issuer: number, nextUpdate }] : []
  })
}

export interface Revoked {
  readonly name: string
  /** `pattern`: of invitations, which are void now. `server`: the authority's own. */
  readonly kind: 'host' | 'pattern' | 'server'
  readonly serials: readonly string[]
  /** Certificates of the name that stay valid: only a serial was named, and they do not come from it. */
  readonly left: readonly string[]
}

function checkReason(reason: string): RevocationReason {
  const known = REVOCATION_REASONS.find((one) => one.toLowerCase() === reason.toLowerCase())
  if (known !== undefined) return known
  const sentence = `Cannot revoke for "${printable(reason)}": the reasons are ${REVOCATION_REASONS.join(', ')}`
  throw new LoghopError('USAGE', sentence, 'Give one of them as --reason')
}

/** Certificates of the authority's own server. */
function serverCertificates(state: State): Issued[] {
  return [...state.certificates.values()].filter(({ role }) => role === 'authority')
}

/** Finds by full name, by the pattern of an invitation, or by serial (or its beginning, 8 digits at least). @throws {LoghopError} PKI_UNKNOWN */
export function findHost(state: State, nameOrSerial: string): { name: string; serial: string | undefined } {
  const name = normaliseName(nameOrSerial) ?? (isNamePattern(nameOrSerial) ? nameOrSerial.toLowerCase() : undefined)
  const isOf = (one: { readonly name: string }) => one.name === name
  if (name !== undefined && (state.hosts.has(name) || [...state.invitations.values()].some(isOf) || serverCertificates(state).some(isOf))) {
    return { name, serial: undefined }
  }
  const hex = nameOrSerial.replaceAll(':', '').toUpperCase()
  const found = /^[0-9A-F]{8,40}$/.test(hex) ? [...state.certificates.values()].filter(({ serial }) => serial.startsWith(hex)) : []
  if (found.length === 1) return { name: found[0]!.name, serial: found[0]!.serial }
  const what = found.length > 1 ? `${found.length} certificates have serials that begin so` : 'no host and no certificate is called so'
  throw new LoghopError('PKI_UNKNOWN', `Cannot find "${printable(nameOrSerial)}": ${what}`, 'See all of them: loghop pki list')
}

/** The certificate and all that were renewed from it. */
function descendants(all: readonly Issued[], serial: string): Set<string> {
  const found = new Set([serial])
  // Oldest first, so a renewal comes after what it renewed.
  for (const issued of all)
    if (issued.via.startsWith('renewal ') && found.has(issued.via.slice('renewal '.length))) found.add(issued.serial)
  return found
}

/**
 * Revokes the certificates of a host, bans its name, and signs the lists. By serial: that certificate, and all that were renewed from it. By the pattern of
 * invitations: makes those void. The authority's own server is revoked without a ban: it makes itself a new key.
 * @throws {LoghopError} USAGE, PKI_UNKNOWN, PKI_WRITE
 */
export async function revoke(session: ActSession, nameOrSerial: string, reasonText: string): Promise<Revoked> {
  const { state, nowMs } = session
  const reason = checkReason(reasonText)
  const { name, serial } = findHost(state, nameOrSerial)
  const isHost = state.hosts.has(name) || [...state.invitations.values()].some((one) => one.name === name)
  const isServer = serial === undefined ? !isHost : state.certificates.get(serial)!.role === 'authority'
  const all = isServer ? serverCertificates(state).filter((issued) => issued.name === name) : certificatesOf(state, name)
  const chosen = serial === undefined ? new Set(all.map((issued) => issued.serial)) : descendants(all, serial)
  const isOpen = (issued: Issued) => issued.revoked === undefined && Date.parse(issued.notAfter) + GRACE_MS > nowMs
  const serials = all.filter((issued) => chosen.has(issued.serial) && isOpen(issued)).map((issued) => issued.serial)
  if (isServer && serials.length === 0) {
    const sentence = `Cannot revoke "${printable(nameOrSerial)}": it is of the authority's own server, and ended or revoked already`
    throw new LoghopError('PKI_UNKNOWN', sentence, 'See what there is: loghop pki list')
  }
  session.append({ act: 'revoke', serials, name, reason })
  refreshLists(session)
  const left = all.filter((issued) => !chosen.has(issued.serial) && isOpen(issued)).map((issued) => issued.serial)
  return { name, kind: isServer ? 'server' : isNamePattern(name) && normaliseName(name) === undefined ? 'pattern' : 'host', serials, left }
}

/** Lets a name be invited again. @throws {LoghopError} PKI_UNKNOWN when it is not banned */
export function reset(session: ActSession, nameText: string): string {
  const { name } = findHost(session.state, nameText)
  if (session.state.hosts.get(name)?.banned === undefined) {
    throw new LoghopError(
      'PKI_UNKNOWN',
      `Cannot reset ${name}: it is not banned`,
      `Invite it at once: ${inviteCommand(session.state, name)}`,
    )
  }
  session.append({ act: 'reset', name })
  return name
}
