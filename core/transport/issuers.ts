import type { X509Certificate } from 'node:crypto'
import { certificateFacts } from './certificate.ts'
import { pinned } from './pins.ts'

const CHAIN_LIMIT = 10

/**
 * Whether one of the pinned authorities stands above the certificate. Each step of the chain is verified here once more: what a peer has sent beside its chain,
 * an authority of the right name perhaps, is in the same list.
 * @param known the trusted roots: a peer need not send its root
 */
export function issuedByOneOf(certificate: X509Certificate, pins: readonly string[], known: readonly X509Certificate[] = []): boolean {
  let below = certificate
  for (let depth = 0; depth < CHAIN_LIMIT; depth++) {
    const issuer: X509Certificate | undefined = below.issuerCertificate ?? known.find((root) => below.checkIssued(root))
    if (issuer === undefined || issuer.fingerprint256 === below.fingerprint256) return false
    if (!issuer.ca || !below.checkIssued(issuer) || !below.verify(issuer.publicKey)) return false
    if (pinned(certificateFacts(issuer), pins) !== undefined) return true
    below = issuer
  }
  return false
}
