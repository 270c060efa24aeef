import { X509Certificate } from 'node:crypto'
import { spkiDigest } from '../core/identity/bundle.ts'
import type { ActSession } from './act-session.ts'
import type { IssueAct, NewAct } from './acts.ts'
import { signingIssuer } from './chains.ts'
import type { LeafPlan } from './policy.ts'
import { type PublicKey, signLeaf } from './x509.ts'

export interface SignedLeaf {
  readonly certificate: X509Certificate
  readonly pem: string
  /** What makes the certificate exist, once it is appended. Until then it must not leave this process. */
  readonly act: Extract<NewAct, { act: 'issue' }>
}

/** Signs a plan with the issuer that signs now. Writes nothing. */
export async function signPlan(
  session: ActSession,
  plan: LeafPlan,
  publicKey: PublicKey,
  how: Pick<IssueAct, 'via' | 'bundle'>,
): Promise<SignedLeaf> {
  const { state, directory } = session
  const issuer = signingIssuer(session)
  const distributionPoint = state.address === undefined ? undefined : `https://${state.address}/crl/${issuer}`
  for (;;) {
    const pem = await signLeaf({ ...plan, publicKey, distributionPoint }, directory.issuerSigner(issuer))
    const certificate = new X509Certificate(pem)
    // 159 random bits: this never happens, and is never allowed to.
    if (state.certificates.has(certificate.serialNumber)) continue
    const act = {
      act: 'issue',
      serial: certificate.serialNumber,
      name: plan.name,
      role: plan.role,
      speaksFor: plan.speaksFor,
      san: plan.san,
      issuer,
      notBefore: certificate.validFromDate.toISOString(),
      notAfter: certificate.validToDate.toISOString(),
      lifeSeconds: plan.lifeMs / 1000,
      sha256: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
      spki: spkiDigest(certificate),
      keyKind: certificate.publicKey.asymmetricKeyType === 'rsa' ? 'RSA' : 'EC',
      certificate: certificate.raw.toString('base64'),
      ...how,
    } as const
    return { certificate, pem, act }
  }
}
