import { X509Certificate } from 'node:crypto'
import { pemOf } from '../core/identity/bundle.ts'
import { isSelfSigned } from '../core/identity/chain.ts'
import { loadIdentity } from '../core/identity/identity.ts'
import { certificatesIn } from '../core/transport/pem.ts'
import { NONE_REVOKED, type TlsIdentity } from '../core/transport/tls-policy.ts'
import type { AuthorityService } from './service.ts'

/**
 * The server's identity as it presents it: leaf, issuer, cross certificates, and the roots as well, which a server otherwise leaves out. A host that joins
 * knows a root by its digest alone, and takes it from here. The roots also name to clients the authorities whose certificates are asked for.
 * @throws {LoghopError} what stands in the way of the certificate: an act that failed, or IDENTITY_*
 */
export async function presentedIdentity(authority: AuthorityService, names: readonly string[]): Promise<TlsIdentity> {
  const { key, cert } = loadIdentity(await authority.serverIdentity(names))
  const chain = certificatesIn(cert) ?? []
  const roots = authority
    .bundle()
    .map((der) => new X509Certificate(der))
    .filter(isSelfSigned)
  const sent = [...chain, ...roots.filter((root) => !chain.some((one) => one.raw.equals(root.raw)))]
  return { key, cert: pemOf(sent), ca: pemOf(roots), revoked: NONE_REVOKED }
}
