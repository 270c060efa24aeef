import type { X509Certificate } from 'node:crypto'
import { LoghopError } from '../base/errors.ts'
import { dayOf } from '../transport/certificate.ts'
import { certificatesIn } from '../transport/pem.ts'
import { Authorities } from './authorities.ts'
import { isSelfSigned } from './chain.ts'
import type { Identity } from './identity.ts'
import { DAY_MS, expiryAlarm } from './renewal.ts'

/** What time has done to an identity, or to what is known beside it. */
export interface IdentityProblem {
  readonly kind: 'expired' | 'not-yet-valid' | 'expires-soon' | 'renewal-overdue' | 'list-late' | 'lists-unreachable'
  /** 1 notice to 5, over: see ExpiryAlarm. */
  readonly level: number
  /** TLS with it fails now; otherwise it will. */
  readonly failing: boolean
  readonly sentence: string
  readonly remedy: string
}

/** That a daemon renews the identity by itself, and how the last attempt went. */
export interface RenewalState {
  readonly authority: string
  readonly failure?: { readonly sentence: string; readonly remedy: string } | undefined
}

const REISSUE =
  'Issue a new identity with "loghop pki issue" (or "loghop identity new", when it signed itself) into a new directory and put it in the place of this one'

interface Dated {
  readonly what: string
  readonly validFrom: Date
  readonly validTo: Date
}

/** Of roots that the authority keeps, the one that lasts longest of those that the certificate leads to: an old one may go. */
function rootThatCounts(identity: Identity, roots: readonly X509Certificate[]): X509Certificate[] {
  const [leaf, ...rest] = certificatesIn(identity.cert) ?? []
  const leading = roots.filter((root) => leaf !== undefined && new Authorities([root], rest).vouchFor(leaf))
  return leading.sort((a, b) => b.validToDate.getTime() - a.validToDate.getTime()).slice(0, 1)
}

function datedAuthorities(identity: Identity, renews: boolean): Dated[] {
  const [, ...intermediates] = certificatesIn(identity.cert) ?? []
  // What stands behind the roots checks revocation lists alone, also those of an issuer of long ago.
  // One that signed itself stands in both files and is told of once.
  const leaf = identity.facts.certificateSha256
  const roots = (certificatesIn(identity.ca) ?? []).filter((one) => isSelfSigned(one) && `sha-256:${one.fingerprint256}` !== leaf)
  const authority = (file: string) => (certificate: X509Certificate) => {
    return { what: `an authority's certificate in ${file}`, validFrom: certificate.validFromDate, validTo: certificate.validToDate }
  }
  return [...intermediates.map(authority('cert.pem')), ...(renews ? rootThatCounts(identity, roots) : roots).map(authority('ca.pem'))]
}

function remedyOf(renewal: RenewalState | undefined): string {
  if (renewal === undefined) return REISSUE
  const { authority, failure } = renewal
  if (failure !== undefined) return `It is tried again by itself. The last attempt: ${failure.sentence}. ${failure.remedy}`
  return `Run the daemon that has this identity: it renews by itself at ${authority}`
}

function problemOf(
  { what, validFrom, validTo }: Dated,
  directory: string,
  nowMs: number,
  renewal: RenewalState | undefined,
): IdentityProblem | undefined {
  const where = `Identity ${directory}: ${what}`
  const life = { fromMs: validFrom.getTime(), toMs: validTo.getTime() }
  if (nowMs < life.fromMs) {
    const sentence = `${where} is valid from ${dayOf(validFrom)}, the clock of this host says ${dayOf(new Date(nowMs))}`
    return {
      kind: 'not-yet-valid',
      level: 5,
      failing: true,
      sentence,
      remedy: 'Set the clock of this host; if it is right, issue a new certificate',
    }
  }
  const { level, overdue } = expiryAlarm(life, renewal !== undefined, nowMs)
  const remedy = remedyOf(renewal)
  if (level === 5) return { kind: 'expired', level, failing: true, sentence: `${where} expired on ${dayOf(validTo)}`, remedy }
  if (level === 0) return undefined
  const left = life.toMs - nowMs
  const inTime =
    left >= 2 * DAY_MS
      ? `${Math.floor(left / DAY_MS)} days`
      : left >= 7_200_000
        ? `${Math.floor(left / 3_600_000)} hours`
        : left >= 120_000
          ? `${Math.floor(left / 60_000)} minutes`
          : `${Math.floor(left / 1000)} seconds`
  const end = `expires on ${dayOf(validTo)}, in ${inTime}`
  if (overdue)
    return { kind: 'renewal-overdue', level, failing: false, sentence: `${where} was to be renewed by now, and is not; it ${end}`, remedy }
  return { kind: 'expires-soon', level, failing: false, sentence: `${where} ${end}`, remedy }
}

/**
 * Expired, not yet valid, or near expiry: the leaf first, then intermediates and roots. Empty when all is well.
 * @param renewal when it renews by itself; then it is a renewal that does not happen which is told of
 */
export function identityProblems(identity: Identity, nowMs: number, renewal?: RenewalState): IdentityProblem[] {
  const { validFrom, validTo } = identity.facts
  const leaf = problemOf({ what: `the certificate of ${identity.name}`, validFrom, validTo }, identity.directory, nowMs, renewal)
  const authorities = datedAuthorities(identity, renewal !== undefined)
    .map((dated) => problemOf(dated, identity.directory, nowMs, renewal))
    // Authorities come with the renewal: only one that is over tells more than the leaf does.
    .filter((problem) => problem !== undefined && (renewal === undefined || problem.failing))
  return [leaf, ...authorities].filter((problem) => problem !== undefined)
}

/** @throws {LoghopError} IDENTITY_DATES with the first problem that makes TLS fail now */
export function requireValidNow(identity: Identity, nowMs: number): void {
  const problem = identityProblems(identity, nowMs).find(({ failing }) => failing)
  if (problem !== undefined) throw new LoghopError('IDENTITY_DATES', problem.sentence, problem.remedy)
}
