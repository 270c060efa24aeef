import type { X509Certificate } from 'node:crypto'
import { LoghopError } from '../base/errors.ts'
import { dayOf } from '../transport/certificate.ts'
import type { Identity } from './identity.ts'
import { certificatesIn } from './pem.ts'

const DAY_MS = 86_400_000
const WARN_DAYS = 30

/** What time has done to an identity. `failing`: TLS with it fails now; otherwise it will. */
export interface IdentityProblem {
  readonly kind: 'expired' | 'not-yet-valid' | 'expires-soon'
  readonly failing: boolean
  readonly sentence: string
  readonly remedy: string
}

const REISSUE = 'Issue a new identity with "loghop pki issue" into a new directory and put it in the place of this one'

interface Dated {
  readonly what: string
  readonly validFrom: Date
  readonly validTo: Date
}

function dated(identity: Identity): Dated[] {
  const [, ...intermediates] = certificatesIn(identity.cert) ?? []
  const roots = certificatesIn(identity.ca) ?? []
  const authority = (file: string) => (certificate: X509Certificate) => {
    return { what: `an authority's certificate in ${file}`, validFrom: certificate.validFromDate, validTo: certificate.validToDate }
  }
  const { validFrom, validTo } = identity.facts
  return [
    { what: `the certificate of ${identity.name}`, validFrom, validTo },
    ...intermediates.map(authority('cert.pem')),
    ...roots.map(authority('ca.pem')),
  ]
}

function problemOf({ what, validFrom, validTo }: Dated, directory: string, nowMs: number): IdentityProblem | undefined {
  const where = `Identity ${directory}: ${what}`
  if (nowMs < validFrom.getTime()) {
    const sentence = `${where} is valid from ${dayOf(validFrom)}, the clock of this host says ${dayOf(new Date(nowMs))}`
    return { kind: 'not-yet-valid', failing: true, sentence, remedy: 'Set the clock of this host; if it is right, issue a new certificate' }
  }
  if (nowMs > validTo.getTime()) {
    return { kind: 'expired', failing: true, sentence: `${where} expired on ${dayOf(validTo)}`, remedy: REISSUE }
  }
  const leftMs = validTo.getTime() - nowMs
  // A short life is no trouble while it is young.
  if (leftMs >= Math.min(WARN_DAYS * DAY_MS, (validTo.getTime() - validFrom.getTime()) / 3)) return undefined
  const days = Math.floor(leftMs / DAY_MS)
  return { kind: 'expires-soon', failing: false, sentence: `${where} expires on ${dayOf(validTo)}, in ${days} days`, remedy: REISSUE }
}

/** Expired, not yet valid, or within 30 days of expiry (a third of the life, if that is less): the leaf first, then intermediates and roots. Empty when all is well. */
export function identityProblems(identity: Identity, nowMs: number): IdentityProblem[] {
  return dated(identity)
    .map((certificate) => problemOf(certificate, identity.directory, nowMs))
    .filter((problem) => problem !== undefined)
}

/** @throws {LoghopError} IDENTITY_DATES with the first problem that makes TLS fail now */
export function requireValidNow(identity: Identity, nowMs: number): void {
  const problem = identityProblems(identity, nowMs).find(({ failing }) => failing)
  if (problem !== undefined) throw new LoghopError('IDENTITY_DATES', problem.sentence, problem.remedy)
}
