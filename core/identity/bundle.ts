// What stands in ca.pem where an authority keeps it.

import { createHash, type X509Certificate } from 'node:crypto'
import { certificatesIn } from '../transport/pem.ts'
import { Authorities } from './authorities.ts'
import { isSelfSigned } from './chain.ts'

/** Parts what an administrator has put into ca.pem from what the authority answers with. */
const MARK = '# From the authority, and replaced with what it says. Further roots belong above this line: they are kept.'

/** SHA-256 of the SubjectPublicKeyInfo, lower-case hex: by this a root is known. */
export function spkiDigest(certificate: X509Certificate): string {
  return createHash('sha256')
    .update(certificate.publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex')
}

export function pemOf(certificates: readonly X509Certificate[]): string {
  return certificates.map((certificate) => certificate.toString()).join('')
}

function isAmong(certificates: readonly X509Certificate[]): (one: X509Certificate) => boolean {
  return (one) => certificates.some((other) => other.raw.equals(one.raw))
}

/** Roots of before that are not the authority's: what stands above the mark, or, without one, whatever our own certificate does not lead to. */
function keptOf(before: string, chain: readonly X509Certificate[]): X509Certificate[] {
  const mark = before.indexOf(MARK)
  if (mark >= 0) return certificatesIn(before.slice(0, mark)) ?? []
  const [leaf, ...rest] = chain
  if (leaf === undefined) return certificatesIn(before) ?? []
  return (certificatesIn(before) ?? []).filter((one) => isSelfSigned(one) && !new Authorities([one], rest).vouchFor(leaf))
}

/**
 * The text of ca.pem for what the authority has answered: what an administrator has added first, then roots, then the rest.
 * @param before ca.pem as it is, empty for none. @param chain our own certificates, leaf first, under the roots of before
 */
export function bundleText(before: string, chain: readonly X509Certificate[], answered: readonly X509Certificate[]): string {
  const isAnswered = isAmong(answered)
  const kept = keptOf(before, chain).filter((one) => !isAnswered(one))
  const roots = answered.filter(isSelfSigned)
  const others = answered.filter((one) => !isSelfSigned(one))
  return `${pemOf(kept)}${MARK}\n${pemOf([...roots, ...others])}`
}
