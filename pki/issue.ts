import { X509Certificate } from 'node:crypto'
import { CA_FILE, CERT_FILE, KEY_FILE } from '../core/identity/identity.ts'
import { makeDirectoryOnce, requireFree } from '../core/identity/new-directory.ts'
import { type CertificateFacts, certificateFacts } from '../core/transport/certificate.ts'
import { openAuthority } from './authority.ts'
import { recordIssued } from './inventory.ts'
import { type IssueOrder, planLeaf } from './policy.ts'
import { generateKey, signLeaf } from './x509.ts'

export interface IssuedIdentity {
  readonly directory: string
  readonly name: string
  readonly facts: CertificateFacts
}

/**
 * Makes a key and a certificate for a host, as an identity directory. The inventory line is on disk before the identity appears.
 * @throws {LoghopError} USAGE, PKI_READ, PKI_BROKEN, PKI_KEY_MODE, PKI_ISSUER_EXPIRED, PKI_EXISTS, PKI_WRITE; then no identity was made
 */
export async function issueIdentity(
  order: IssueOrder & { readonly directory: string; readonly out: string },
  nowMs: number,
): Promise<IssuedIdentity> {
  const authority = openAuthority(order.directory)
  const plan = planLeaf(order, { validTo: authority.issuerValidTo }, nowMs)
  requireFree(order.out, 'an identity')
  const key = await generateKey()
  const leafPem = await signLeaf({ ...plan, publicKey: key.keys.publicKey }, authority.issuer)
  const facts = certificateFacts(new X509Certificate(leafPem))
  const files = [
    { name: KEY_FILE, text: key.pem, mode: 0o600 },
    { name: CERT_FILE, text: leafPem + authority.issuer.certificatePem, mode: 0o644 },
    { name: CA_FILE, text: authority.rootPem, mode: 0o644 },
  ]
  makeDirectoryOnce(order.out, 'an identity', files, () =>
    recordIssued(authority.directory, {
      serial: facts.serial,
      name: plan.name,
      role: plan.role,
      issuedAt: new Date(nowMs).toISOString(),
      notAfter: facts.validTo.toISOString(),
      sha256: facts.certificateSha256,
    }),
  )
  return { directory: order.out, name: plan.name, facts }
}
