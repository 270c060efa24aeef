import { pemOf } from '../core/identity/bundle.ts'
import { AUTHORITY_FILE, CA_FILE, CERT_FILE, KEY_FILE } from '../core/identity/identity.ts'
import { makeDirectoryOnce, requireFree } from '../core/identity/new-directory.ts'
import { type CertificateFacts, certificateFacts } from '../core/transport/certificate.ts'
import type { ActSession } from './act-session.ts'
import { Authority } from './authority.ts'
import { behindLeaf, bundleRoots, signingIssuer, trusted } from './chains.ts'
import { requireNotBanned } from './invitations.ts'
import { type IssueOrder, planLeaf } from './policy.ts'
import { signPlan } from './signing.ts'
import { generateKey } from './x509.ts'

export interface IssuedIdentity {
  readonly directory: string
  readonly name: string
  readonly facts: CertificateFacts
}

/** The same within an act. */
export async function issue(session: ActSession, order: IssueOrder & { readonly out: string }): Promise<IssuedIdentity> {
  const { state, directory, nowMs } = session
  const issuer = signingIssuer(session)
  const plan = planLeaf(order, { validTo: directory.issuer(issuer).validToDate }, nowMs)
  requireNotBanned(session, plan.name)
  requireFree(order.out, 'an identity')
  const key = await generateKey()
  const { certificate, act } = await signPlan(session, plan, key.keys.publicKey, { via: 'command', bundle: bundleRoots(state, directory) })
  const files = [
    { name: KEY_FILE, text: key.pem, mode: 0o600 },
    { name: CERT_FILE, text: pemOf([certificate, ...behindLeaf(state, directory, issuer)]), mode: 0o644 },
    { name: CA_FILE, text: pemOf(trusted(state, directory, nowMs)), mode: 0o644 },
    ...(state.address === undefined ? [] : [{ name: AUTHORITY_FILE, text: `${state.address}\n`, mode: 0o644 }]),
  ]
  makeDirectoryOnce(order.out, 'an identity', files, () => session.append(act))
  return { directory: order.out, name: plan.name, facts: certificateFacts(certificate) }
}

/**
 * Makes a key and a certificate for a host, as an identity directory. The journal's line is on disk before the identity appears.
 * @throws {LoghopError} USAGE, PKI_*; then no identity was made
 */
export async function issueIdentity(
  order: IssueOrder & { readonly directory: string; readonly out: string; readonly by?: string },
  nowMs: number,
): Promise<IssuedIdentity> {
  return Authority.open(order.directory, { by: order.by ?? 'unknown', now: () => nowMs }).act((session) => issue(session, order))
}
