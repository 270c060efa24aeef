import type { X509Certificate } from 'node:crypto'

function issued(issuer: X509Certificate, certificate: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
}

/** Signed with its own key. Without checkIssued(): it wants keyCertSign, which a self-signed certificate of a host need not have. */
export function isSelfSigned(certificate: X509Certificate): boolean {
  return certificate.subject === certificate.issuer && certificate.verify(certificate.publicKey)
}

/**
 * Whether the leaf, by the intermediates behind it, leads to one of `roots`; a self-signed leaf stands for itself (its peers pin it).
 * Tells a person early what a peer would say later; it grants nothing, so dates, usage and revocation are left to OpenSSL.
 */
export function chainLeadsTo(chain: readonly X509Certificate[], roots: readonly X509Certificate[]): boolean {
  const [leaf, ...rest] = chain
  if (leaf === undefined) return false
  if (isSelfSigned(leaf)) return true
  const unused = new Set(rest)
  for (let current = leaf; ; ) {
    if (roots.some((root) => issued(root, current))) return true
    const next = [...unused].find((candidate) => issued(candidate, current))
    if (next === undefined) return false
    unused.delete(next)
    current = next
  }
}
