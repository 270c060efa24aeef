import { signRevocationList } from '../../pki/crl.ts'
import type { Signer } from '../../pki/x509.ts'
import { DAY_MS, NOW } from '../unit/pki/made.ts'

/** A revocation list, DER: made a day ago, to be replaced tomorrow. @param serials upper-case hex */
export function makeList(signer: Signer, serials: readonly string[], number: number): Buffer {
  const at = new Date(NOW - DAY_MS)
  const entries = serials.map((serial) => ({ serial, at, reason: 'keyCompromise' as const }))
  return signRevocationList({ number, thisUpdate: at, nextUpdate: new Date(NOW + DAY_MS), entries }, signer)
}
